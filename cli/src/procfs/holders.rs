//! Which processes have a file: by the links in `/proc/*/fd`, and by kcmp(2), which tells files with the same link
//! apart.

use std::collections::HashMap;
use std::fs;

use glasspoll_record::find;

use crate::procfs::eventpoll::{self, FileId};
use crate::procfs::fdinfo::field;
use crate::procfs::names;
use crate::sys;

/// The most descriptors that a look takes in.
const MOST: usize = 1 << 18;

/// A process and a descriptor of it.
pub type Holder = (u32, i32);

/// The descriptors of all processes that we may look into, by what their links say.
#[derive(Debug, Default)]
pub struct Holders {
    by_link: HashMap<String, Vec<Holder>>,
}

impl Holders {
    /// Looks at all processes.
    pub fn look() -> Self {
        let mut by_link: HashMap<String, Vec<Holder>> = HashMap::new();
        let mut left = MOST;
        for pid in find::pids() {
            let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            for entry in entries.flatten().take(left) {
                left -= 1;
                let fd = entry.file_name().to_str().and_then(|name| name.parse().ok());
                let link = fs::read_link(entry.path())
                    .ok()
                    .and_then(|link| link.into_os_string().into_string().ok());
                // What has a path has holders of its own file, which a link does not tell.
                if let (Some(fd), Some(link)) = (fd, link.filter(|link| !link.starts_with('/'))) {
                    by_link.entry(link).or_default().push((pid, fd));
                }
            }
        }
        Self { by_link }
    }

    /// The other descriptors of the open file behind an fd.
    pub fn of(&self, pid: u32, fd: i32) -> Vec<Holder> {
        let Some(link) = link(pid, fd) else { return Vec::new() };
        self.like(&link).filter(|other| *other != (pid, fd) && is_same((pid, fd), *other, &link)).collect()
    }

    /// The descriptors of the other end of a pipe.
    pub fn other_end(&self, pid: u32, fd: i32) -> Vec<Holder> {
        let Some(link) = link(pid, fd).filter(|link| link.starts_with("pipe:")) else { return Vec::new() };
        let ours = access(pid, fd);
        self.like(&link).filter(|(pid, fd)| access(*pid, *fd) != ours).collect()
    }

    /// The descriptors of a socket.
    pub fn of_socket(&self, inode: u64) -> Vec<Holder> {
        self.like(&format!("socket:[{inode}]")).collect()
    }

    /// The descriptors of the file that a process added to a set of the kernel's by an fd, and has no more at that fd.
    /// None: there is no such item.
    pub fn of_left_behind(&self, pid: u32, fd: i32) -> Option<Vec<Holder>> {
        let (now, sets) = (FileId::of(pid, fd), eventpoll::sets(pid).ok()?);
        let is_left = |item: &&eventpoll::Item| item.fd == fd && item.file.is_some() && item.file != now;
        let (set, item) = sets.iter().find_map(|set| Some((set, set.items.iter().find(is_left)?)))?;
        let inode = format!(":[{}]", item.file?.inode);
        let may_be = |link: &&String| link.ends_with(&inode) || link.starts_with("anon_inode:");
        let candidates = self.by_link.keys().filter(may_be).flat_map(|link| self.like(link));
        let others = candidates.filter(|holder| *holder != (pid, fd));
        Some(others.filter(|holder| sys::is_target_of(*holder, pid, set.epfds[0], fd)).collect())
    }

    fn like(&self, link: &str) -> impl Iterator<Item = Holder> + '_ {
        self.by_link.get(link).into_iter().flatten().copied()
    }
}

/// Processes in words: `812 (worker) as fd 4`.
pub fn words(holders: &[Holder]) -> String {
    const NAMED: usize = 4;
    let named = holders.iter().take(NAMED).map(|(pid, fd)| match names::comm(*pid) {
        Some(comm) if !comm.is_empty() => format!("{pid} ({comm}) as fd {fd}"),
        _ => format!("{pid} as fd {fd}"),
    });
    let mut all = named.collect::<Vec<_>>().join(", ");
    if holders.len() > NAMED {
        all += &format!(" and {} more", holders.len() - NAMED);
    }
    all
}

fn link(pid: u32, fd: i32) -> Option<String> {
    fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?.into_os_string().into_string().ok()
}

/// Whether two descriptors with the same link stand for one open file. A socket has one; a pipe has two, and all
/// eventfds have the same link.
fn is_same(one: Holder, other: Holder, link: &str) -> bool {
    sys::compare_files(one, other).unwrap_or_else(|| match link.split(':').next() {
        Some("socket") => true,
        Some("pipe") => access(one.0, one.1) == access(other.0, other.1),
        _ => false,
    })
}

/// How a file was opened: for reading, for writing, or both.
fn access(pid: u32, fd: i32) -> Option<i32> {
    let info = names::read(format!("/proc/{pid}/fdinfo/{fd}"))?;
    Some(i32::from_str_radix(field(&info, "flags")?, 8).ok()? & libc::O_ACCMODE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::describe::Files;
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    fn eventfd() -> OwnedFd {
        // SAFETY: it has no preconditions; the fd is nobody else's.
        unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) }
    }

    #[test]
    fn copies_are_found_and_other_files_of_the_kind_are_not() {
        let me = std::process::id();
        let (one, another) = (eventfd(), eventfd());
        let copy = one.try_clone().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let (socket, _peer) = UnixStream::pair().unwrap();
        let its = socket.try_clone().unwrap();
        // A child has the reading end as its fd 0.
        let mut child = Command::new("sleep").arg("60").stdin(reader.try_clone().unwrap()).spawn().unwrap();
        let holders = Holders::look();
        assert_eq!(holders.of(me, one.as_raw_fd()), [(me, copy.as_raw_fd())]);
        assert_eq!(holders.of(me, another.as_raw_fd()), []);
        assert_eq!(holders.of(me, socket.as_raw_fd()), [(me, its.as_raw_fd())]);
        assert_eq!(holders.of(me, reader.as_raw_fd()), [(child.id(), 0)]);
        assert_eq!(holders.other_end(me, reader.as_raw_fd()), [(me, writer.as_raw_fd())]);
        assert_eq!(words(&[(child.id(), 0)]), format!("{} (sleep) as fd 0", child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holders.of(me, -1), []);
        assert_eq!(words(&[(u32::MAX, 1); 6]).matches(" as fd 1").count(), 4);
    }

    #[test]
    fn the_holder_of_a_file_that_was_closed_here_is_found() {
        let me = std::process::id();
        // SAFETY: it has no preconditions; the fd is nobody else's.
        let set = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
        let file = eventfd();
        let (fd, mut event) = (file.as_raw_fd(), libc::epoll_event { events: 1, u64: 7 });
        // SAFETY: the event lives.
        assert_eq!(unsafe { libc::epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) }, 0);
        assert_eq!(Holders::look().of_left_behind(me, fd), None);
        let copy = file.try_clone().unwrap();
        drop(file);
        let held = Holders::look().of_left_behind(me, fd);
        // Another test may have opened a file of that number, which then looks like the same one.
        assert!(held.is_none_or(|held| held == [(me, copy.as_raw_fd())]));
    }

    #[test]
    fn the_peer_of_a_connection_is_found() {
        let me = std::process::id();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (one, other) = UnixStream::pair().unwrap();
        let (holders, mut files) = (Holders::look(), Files::of(me, BTreeSet::new()));
        let peer = files.peer(server.as_raw_fd()).unwrap();
        assert_eq!(holders.of_socket(peer), [(me, client.as_raw_fd())]);
        assert_eq!(files.peer(listener.as_raw_fd()), None);
        // A kernel may be built without the list of unix sockets.
        if let Some(peer) = files.peer(one.as_raw_fd()) {
            assert_eq!(holders.of_socket(peer), [(me, other.as_raw_fd())]);
        }
    }
}
