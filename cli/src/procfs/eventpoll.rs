//! The kernel's epoll sets of a process, as `/proc/PID/fdinfo` tells them, and the threads that wait for them.
//! Linux: `fs/eventpoll.c:ep_show_fdinfo`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use syscalls::Sysno;

use crate::procfs::names;
use crate::sys;

/// The most that is read of one set: some 600,000 items.
const MOST: u64 = 64 << 20;

/// The most descriptors that are looked at for a set.
const MANY: usize = 1 << 12;

/// A set of the kernel's.
#[derive(Debug, PartialEq, Eq)]
pub struct Set {
    /// The fds of the process that stand for it.
    pub epfds: Vec<i32>,
    pub items: Vec<Item>,
}

/// An item of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The fd with which it was added. It may be closed now, or stand for another file.
    pub fd: i32,
    pub events: u32,
    pub data: u64,
    /// Its file. None: the kernel is older than 4.12.
    pub file: Option<FileId>,
}

/// A file, as far as its device and inode tell. All eventfds, timerfds and the like have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    pub inode: u64,
    major: u32,
    minor: u32,
}

impl FileId {
    /// The file behind an fd of a process; None: the fd is closed, or we may not look at it.
    pub fn of(pid: u32, fd: i32) -> Option<Self> {
        let stat = fs::metadata(format!("/proc/{pid}/fd/{fd}")).ok()?;
        Some(Self { inode: stat.ino(), major: libc::major(stat.dev()), minor: libc::minor(stat.dev()) })
    }
}

/// Whether a process has a set of the kernel's; false if we may not look.
pub fn has_set(pid: u32) -> bool {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.take(MANY).any(|entry| is_set(&entry.path()))
}

fn is_set(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|link| link.as_os_str() == "anon_inode:[eventpoll]")
}

/// The sets of a process, in the order of their fds.
///
/// # Errors
/// There is no such process, or we may not look into it.
pub fn sets(pid: u32) -> io::Result<Vec<Set>> {
    let mut epfds: Vec<i32> = fs::read_dir(format!("/proc/{pid}/fd"))?
        .flatten()
        .filter(|entry| is_set(&entry.path()))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    epfds.sort_unstable();
    let mut sets: Vec<Set> = Vec::new();
    for epfd in epfds {
        if let Some(set) = sets.iter_mut().find(|set| sys::is_same_file(pid, set.epfds[0], epfd)) {
            set.epfds.push(epfd);
        } else if let Some(items) = items(pid, epfd) {
            sets.push(Set { epfds: vec![epfd], items });
        }
    }
    Ok(sets)
}

fn items(pid: u32, epfd: i32) -> Option<Vec<Item>> {
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/fdinfo/{epfd}")).ok()?.take(MOST).read_to_end(&mut text).ok()?;
    Some(parse(&String::from_utf8_lossy(&text)))
}

/// The items in the fdinfo of a set.
pub fn parse(info: &str) -> Vec<Item> {
    info.lines().filter_map(item).collect()
}

/// `tfd: 7 events: 19 data: 7  pos:0 ino:2b2c sdev:9`
fn item(line: &str) -> Option<Item> {
    let words =
        line.split_ascii_whitespace().flat_map(|word| word.split(':')).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let field = |name| words.chunks_exact(2).find_map(|pair| (pair[0] == name).then_some(pair[1]));
    let number = |name| u64::from_str_radix(field(name)?, 16).ok();
    let file = || {
        // The kernel's own form of a device, not stat(2)'s. Linux: include/linux/kdev_t.h.
        let device = number("sdev")?;
        Some(FileId { inode: number("ino")?, major: (device >> 20) as u32, minor: device as u32 & 0xf_ffff })
    };
    Some(Item {
        fd: field("tfd")?.parse().ok()?,
        events: u32::try_from(number("events")?).ok()?,
        data: number("data")?,
        file: file(),
    })
}

/// The threads of a process that sleep in a wait for a set, with the set's fd. Empty if we may not ask.
pub fn waiting(pid: u32) -> Vec<(i32, u32, String)> {
    let threads = names::threads(pid).into_iter();
    threads
        .filter_map(|(tid, name)| {
            let call = names::read(format!("/proc/{pid}/task/{tid}/syscall"))?;
            Some((epfd_of(&call)?, tid, name))
        })
        .collect()
}

/// The set that a call waits for: `232 0x5 0x7ffd… …`. None: it is another call.
pub fn epfd_of(call: &str) -> Option<i32> {
    let mut words = call.split_ascii_whitespace();
    let number: usize = words.next()?.parse().ok()?;
    #[cfg(target_arch = "x86_64")]
    let is_old = number == Sysno::epoll_wait as usize;
    #[cfg(not(target_arch = "x86_64"))]
    let is_old = false;
    let is_wait = is_old || [Sysno::epoll_pwait as usize, Sysno::epoll_pwait2 as usize].contains(&number);
    let first = words.next()?.strip_prefix("0x")?;
    is_wait.then(|| u64::from_str_radix(first, 16).ok().map(|epfd| epfd as i32)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::thread;

    fn epoll() -> OwnedFd {
        // SAFETY: it has no preconditions; the fd is nobody else's.
        unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }
    }

    fn add(epfd: &OwnedFd, fd: &impl AsRawFd, events: u32, data: u64) {
        let mut event = libc::epoll_event { events, u64: data };
        // SAFETY: the event lives.
        let result =
            unsafe { libc::epoll_ctl(epfd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event) };
        assert_eq!(result, 0);
    }

    #[test]
    fn a_set_has_its_items_and_all_its_fds() {
        let (set, me) = (epoll(), std::process::id());
        let (reader, _writer) = std::io::pipe().unwrap();
        add(&set, &reader, 0x4000_0001, u64::MAX);
        let also = set.try_clone().unwrap();
        let all = sets(me).unwrap();
        let found = all.iter().find(|other| other.epfds.contains(&set.as_raw_fd())).unwrap();
        assert_eq!(found.epfds, [set.as_raw_fd(), also.as_raw_fd()]);
        // The kernel adds EPOLLERR and EPOLLHUP.
        let file = FileId::of(me, reader.as_raw_fd());
        let item = Item { fd: reader.as_raw_fd(), events: 0x4000_0019, data: u64::MAX, file };
        assert_eq!(found.items, [item]);
    }

    #[test]
    fn a_closed_fd_whose_file_is_open_elsewhere_is_another_file() {
        let (set, me) = (epoll(), std::process::id());
        let (reader, _writer) = std::io::pipe().unwrap();
        let _elsewhere = reader.try_clone().unwrap();
        let fd = reader.as_raw_fd();
        add(&set, &reader, 1, 7);
        let before = FileId::of(me, fd);
        drop(reader);
        let all = sets(me).unwrap();
        let found = all.iter().find(|other| other.epfds.contains(&set.as_raw_fd())).unwrap();
        assert_eq!((found.items[0].fd, found.items[0].file), (fd, before));
        assert_ne!(FileId::of(me, fd), before);
    }

    #[test]
    fn a_thread_that_waits_is_found() {
        let set = epoll();
        let epfd = set.as_raw_fd();
        let (reader, writer) = std::io::pipe().unwrap();
        add(&set, &reader, 1, 0);
        let thread = thread::spawn(move || {
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            // SAFETY: the event lives.
            unsafe { libc::epoll_wait(epfd, &mut event, 1, -1) }
        });
        let call = format!("/proc/self/task/{}/syscall", std::process::id());
        // Where the kernel does not tell the calls of a process, there is nothing to find.
        let can_ask = fs::read_to_string(call).is_ok();
        while can_ask && !waiting(std::process::id()).iter().any(|(at, ..)| *at == epfd) {
            thread::yield_now();
        }
        drop(writer);
        assert_eq!(thread.join().unwrap(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for text in ["", "tfd:", "tfd: x events: 1 data: 2", "tfd: 1 events: 100000000 data: 0", "pos:\t0"] {
            assert_eq!(parse(text), []);
        }
        let old = "tfd:        7 events:       19 data:                f";
        assert_eq!(parse(old), [Item { fd: 7, events: 0x19, data: 0xf, file: None }]);
        for call in ["", "running", "7 0x5", "-1 0x7ffe 0x0"] {
            assert_eq!(epfd_of(call), None);
        }
        assert_eq!(epfd_of(&format!("{} 0x5 0x7f 0x80", Sysno::epoll_pwait as usize)), Some(5));
    }
}
