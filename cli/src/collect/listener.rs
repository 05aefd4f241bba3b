//! A socket to which the processes of a program that we started send their rings, as memfds. So we have the record even
//! of a process that dies at once. The library makes a process's ring, connects, sends the memfd and closes.
//!
//! The path of the socket is a secret: only the environment of the program's processes has it. If we are not root, only
//! our user can enter the folders. If we are root, the program may go on as another user. So root's folders let all
//! users through, but cannot be listed, and nobody can guess the name of the inner one. `/proc/net/unix` shows the path
//! that was given to bind(2), which names only a descriptor of ours.
//!
//! A command that is killed leaves its folder behind. A live command holds a lock on its folder, so a folder that we
//! can lock is left over.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use glasspoll_record::ring::Live;

use crate::sys;

/// The environment variable that has its path.
pub const VARIABLE: &str = "GLASSPOLL_COLLECT";
/// The name of the socket.
const NAME: &str = "rings";
/// The most connections that have sent nothing yet: if there are more, the oldest are closed.
const WAITING: usize = 256;

/// A ring that was handed in.
#[derive(Debug)]
pub struct Handed {
    /// The process, by its pid in our namespace.
    pub pid: u32,
    /// Its ring.
    pub live: Live,
}

/// The socket, in a folder in a folder. Removed when dropped.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    outer: PathBuf,
    path: PathBuf,
    _lock: File,
    /// Connections that have sent nothing yet, and their processes.
    waiting: Vec<(OwnedFd, u32)>,
}

impl Listener {
    /// Opens one.
    pub fn open() -> Result<Self, String> {
        // Other users cannot get through root's own folder.
        let own = env::var_os("XDG_RUNTIME_DIR").filter(|_| sys::user() != 0).map(PathBuf::from);
        let mut trouble = String::new();
        for place in own.into_iter().chain([env::temp_dir(), PathBuf::from("/tmp")]) {
            match Self::open_in(&place) {
                Ok(listener) => return Ok(listener),
                Err(error) => trouble = format!("{}: {error}", place.display()),
            }
        }
        Err(format!("no socket to gather records by: {trouble}: set TMPDIR to a folder of yours"))
    }

    fn open_in(place: &Path) -> io::Result<Self> {
        sweep(place);
        let outer = make_folder(place)?;
        let inner = outer.join(sys::secret()?);
        let path = inner.join(NAME);
        let open = || {
            // The library cannot connect to one whose path has more than the 108 bytes of an address.
            if !path.is_absolute() || path.as_os_str().len() > 107 {
                return Err(io::Error::from(io::ErrorKind::InvalidFilename));
            }
            let lock = sys::lock(File::open(&outer)?)?;
            DirBuilder::new().mode(0o700).create(&inner)?;
            let folder = File::open(&inner)?;
            let socket =
                sys::listen(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME))?;
            if sys::user() == 0 {
                fs::set_permissions(&path, Permissions::from_mode(0o666))?;
                fs::set_permissions(&inner, Permissions::from_mode(0o711))?;
                fs::set_permissions(&outer, Permissions::from_mode(0o711))?;
            }
            Ok((socket, lock))
        };
        match open() {
            Ok((socket, lock)) => Ok(Self { socket, outer, path, _lock: lock, waiting: Vec::new() }),
            Err(error) => {
                remove(&outer, &path);
                Err(error)
            }
        }
    }

    /// Its path, for `VARIABLE`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket, to wait on.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The rings that came since the last call.
    pub fn take(&mut self) -> Vec<Handed> {
        while let Ok(socket) = sys::accept(&self.socket) {
            let Ok((pid, user)) = sys::peer(&socket) else { continue };
            if user == sys::user() || sys::user() == 0 {
                self.waiting.push((socket, pid));
                self.waiting.drain(..self.waiting.len().saturating_sub(WAITING));
            }
        }
        let mut all = Vec::new();
        self.waiting.retain(|(socket, pid)| match sys::receive(socket) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(file) => {
                all.extend(Live::sealed(file).map(|live| Handed { pid: *pid, live }));
                false
            }
        });
        all
    }
}

fn make_folder(place: &Path) -> io::Result<PathBuf> {
    for attempt in 0..100 {
        let folder = place.join(format!("glasspoll-{}-{attempt}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes the folders of commands of our user that were killed.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix("glasspoll-")?.split_once('-')?.0.parse().ok());
        let is_over = |pid: u32| !Path::new(&format!("/proc/{pid}")).exists();
        if pid.is_some_and(is_over) {
            // Another command may remove it at the same time.
            let _ = remove_left(&entry.path());
        }
    }
}

fn remove_left(outer: &Path) -> io::Result<()> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let folder = File::options().read(true).custom_flags(flags).open(outer)?;
    if folder.metadata()?.uid() != sys::user() {
        return Ok(());
    }
    // Its process may live in another PID namespace, with another pid.
    let _lock = sys::lock(folder)?;
    for inner in fs::read_dir(outer)?.flatten() {
        let _ = fs::remove_file(inner.path().join(NAME));
        let _ = fs::remove_dir(inner.path());
    }
    fs::remove_dir(outer)
}

fn remove(outer: &Path, path: &Path) {
    // An error means that it is gone already.
    let _ = fs::remove_file(path);
    let _ = path.parent().map(fs::remove_dir);
    let _ = fs::remove_dir(outer);
}

impl Drop for Listener {
    fn drop(&mut self) {
        remove(&self.outer, &self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_gone_with_its_folders_and_its_name_is_nowhere_else() {
        let mut listener = Listener::open().unwrap();
        let (path, outer) = (listener.path().to_owned(), listener.outer.clone());
        assert!(path.exists());
        assert!(listener.take().is_empty());
        let secret = path.parent().and_then(Path::file_name).unwrap().to_str().unwrap().to_owned();
        assert!(!fs::read_to_string("/proc/net/unix").unwrap_or_default().contains(&secret));
        drop(listener);
        assert!(!outer.exists());
    }

    #[test]
    fn what_one_that_was_killed_has_left_is_removed_and_nothing_else() {
        let place = env::temp_dir().join(format!("glasspoll-test-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let left = |name: &str| {
            let inner = place.join(name).join("secret");
            fs::create_dir_all(&inner).unwrap();
            drop(sys::listen(&inner.join(NAME)).unwrap());
            place.join(name)
        };
        // No process has such a pid: the limit is 2^22.
        let (killed, locked) = (left("glasspoll-99999999-0"), left("glasspoll-99999998-0"));
        let (ours, others) = (left(&format!("glasspoll-{}-7", std::process::id())), left("glasspoll-notes"));
        let lock = sys::lock(File::open(&locked).unwrap()).unwrap();
        let precious = place.join("glasspoll-99999997-0");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "precious").unwrap();
        std::os::unix::fs::symlink(&others, place.join("glasspoll-99999996-0")).unwrap();
        let listener = Listener::open_in(&place).unwrap();
        assert!(!killed.exists());
        for stays in [&locked, &ours, &others, &others.join("secret"), &precious.join("file"), &listener.path]
        {
            assert!(stays.exists(), "{}", stays.display());
        }
        // A live command holds its lock, in whichever namespace it lives.
        assert!(sys::lock(File::open(&listener.outer).unwrap()).is_err());
        drop((listener, lock));
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn what_is_no_sealed_memfd_is_no_ring() {
        assert!(Live::sealed(File::open("/dev/zero").unwrap()).is_err());
        assert!(Live::sealed(File::open("/proc/self/exe").unwrap()).is_err());
    }
}
