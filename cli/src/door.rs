//! Where the processes of a program that we started hand in their rings, by descriptor: so the record of one that
//! dies at once is kept. The library connects as it makes a process's ring, sends the memfd and goes.
//!
//! Who knows the way in may come in: only the environment of the program's processes tells it. Where we are not root,
//! nobody but our user can go it. What root starts may go on as another user, so there the folders can be passed by
//! all, and not be listed; the inner one has a name that nobody guesses. `/proc/net/unix` lists the path that bind(2)
//! was given, which goes by a descriptor of ours.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use glasspoll_record::ring::Live;

use crate::sys;

/// The environment variable that says where it is.
pub const VARIABLE: &str = "GLASSPOLL_COLLECT";
/// Of the socket.
const NAME: &str = "rings";
/// Without these a ring could shrink under its reader. Linux: `F_SEAL_SHRINK`, `F_SEAL_GROW`.
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;

/// A ring that was handed in.
#[derive(Debug)]
pub struct Handed {
    /// The process, by the number that it has here.
    pub pid: u32,
    /// Its ring.
    pub live: Live,
}

/// The socket, in a folder in a folder. Removed when dropped.
#[derive(Debug)]
pub struct Door {
    socket: OwnedFd,
    outer: PathBuf,
    path: PathBuf,
    /// Who has come and not sent anything yet.
    waiting: Vec<(OwnedFd, u32)>,
}

impl Door {
    /// Opens one.
    pub fn open() -> Result<Self, String> {
        // Root's own folder can be passed by nobody else.
        let own = env::var_os("XDG_RUNTIME_DIR").filter(|_| sys::user() != 0).map(PathBuf::from);
        let mut trouble = String::new();
        for place in own.into_iter().chain([env::temp_dir(), PathBuf::from("/tmp")]) {
            match Self::open_in(&place) {
                Ok(door) => return Ok(door),
                Err(error) => trouble = format!("{}: {error}", place.display()),
            }
        }
        Err(format!("no socket to gather records by: {trouble}: set TMPDIR to a folder of yours"))
    }

    fn open_in(place: &Path) -> io::Result<Self> {
        let outer = make_folder(place)?;
        let inner = outer.join(sys::secret()?);
        let path = inner.join(NAME);
        let open = || {
            // The library cannot connect to one whose path has more than the 108 bytes of an address.
            if !path.is_absolute() || path.as_os_str().len() > 107 {
                return Err(io::Error::from(io::ErrorKind::InvalidFilename));
            }
            DirBuilder::new().mode(0o700).create(&inner)?;
            let folder = File::open(&inner)?;
            let socket =
                sys::listen(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME))?;
            if sys::user() == 0 {
                fs::set_permissions(&path, Permissions::from_mode(0o666))?;
                fs::set_permissions(&inner, Permissions::from_mode(0o711))?;
                fs::set_permissions(&outer, Permissions::from_mode(0o711))?;
            }
            Ok(socket)
        };
        match open() {
            Ok(socket) => Ok(Self { socket, outer, path, waiting: Vec::new() }),
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

    /// What to wait on.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The rings that were handed in since the last call.
    pub fn take(&mut self) -> Vec<Handed> {
        while let Ok(socket) = sys::accept(&self.socket) {
            let Ok((pid, user)) = sys::peer(&socket) else { continue };
            if user == sys::user() || sys::user() == 0 {
                self.waiting.push((socket, pid));
            }
        }
        let mut all = Vec::new();
        self.waiting.retain(|(socket, pid)| match sys::receive(socket) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(file) => {
                all.extend(ring(file).map(|live| Handed { pid: *pid, live }));
                false
            }
        });
        all
    }
}

/// A ring, if the file is a memfd and cannot shrink.
fn ring(file: File) -> Option<Live> {
    let sealed = sys::seals(&file)? & SEALS == SEALS;
    sealed.then(|| Live::of(file).ok()).flatten()
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

fn remove(outer: &Path, path: &Path) {
    // What is gone already need not be removed.
    let _ = fs::remove_file(path);
    let _ = path.parent().map(fs::remove_dir);
    let _ = fs::remove_dir(outer);
}

impl Drop for Door {
    fn drop(&mut self) {
        remove(&self.outer, &self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_gone_with_its_folders_and_its_name_is_nowhere_else() {
        let mut door = Door::open().unwrap();
        let (path, outer) = (door.path().to_owned(), door.outer.clone());
        assert!(path.exists());
        assert!(door.take().is_empty());
        let secret = path.parent().and_then(Path::file_name).unwrap().to_str().unwrap().to_owned();
        assert!(!fs::read_to_string("/proc/net/unix").unwrap_or_default().contains(&secret));
        drop(door);
        assert!(!outer.exists());
    }

    #[test]
    fn what_is_no_sealed_memfd_is_no_ring() {
        assert!(ring(File::open("/dev/zero").unwrap()).is_none());
        assert!(ring(File::open("/proc/self/exe").unwrap()).is_none());
    }
}
