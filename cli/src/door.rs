//! Where the processes of a program that we started hand in their rings, by descriptor: so the record of one that
//! dies at once is kept. The library connects as it makes a process's ring, sends the memfd and goes.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use glasspoll_record::ring::Live;

use crate::names;
use crate::sys;

/// The environment variable that says where it is.
pub const VARIABLE: &str = "GLASSPOLL_COLLECT";
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

/// The socket, in a folder that nobody else can enter. Removed when dropped.
#[derive(Debug)]
pub struct Door {
    socket: OwnedFd,
    folder: PathBuf,
}

impl Door {
    /// Opens one.
    pub fn open() -> Result<Self, String> {
        let wanted = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        // The path of a socket has 108 bytes, so a folder may be too deep.
        let places = wanted.into_iter().chain([env::temp_dir(), PathBuf::from("/tmp")]);
        let mut trouble = String::new();
        for place in places.filter(|place| place.is_absolute()) {
            match Self::open_in(&place) {
                Ok(door) => return Ok(door),
                Err(error) => trouble = format!("{}: {error}", place.display()),
            }
        }
        Err(format!(
            "no socket could be made to gather records by: {trouble}: set TMPDIR to a folder of yours"
        ))
    }

    fn open_in(place: &Path) -> io::Result<Self> {
        let folder = make_folder(place)?;
        let path = folder.join("rings");
        let open = || {
            let socket = sys::listen(&path)?;
            if sys::user() == 0 {
                // A server that root starts goes on as another user.
                fs::set_permissions(&path, Permissions::from_mode(0o666))?;
                fs::set_permissions(&folder, Permissions::from_mode(0o711))?;
            }
            Ok(socket)
        };
        match open() {
            Ok(socket) => Ok(Self { socket, folder }),
            Err(error) => {
                remove(&folder);
                Err(error)
            }
        }
    }

    /// Its path, for `VARIABLE`.
    pub fn path(&self) -> PathBuf {
        self.folder.join("rings")
    }

    /// What to wait on.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The rings that were handed in since the last call, by `program` and what descends from it.
    pub fn take(&self, program: u32) -> Vec<Handed> {
        let mut all = Vec::new();
        while let Ok(socket) = sys::accept(&self.socket) {
            let Ok((pid, user)) = sys::peer(&socket) else { continue };
            // Root lets all users in, and so has to look at who comes.
            if user != sys::user() && !names::descends(pid, program) {
                continue;
            }
            let Ok(file) = receive(&socket) else { continue };
            if let Some(live) = ring(file) {
                all.push(Handed { pid, live });
            }
        }
        all
    }
}

/// What the other end sends, which it may be about to.
fn receive(socket: &OwnedFd) -> io::Result<File> {
    use std::os::fd::AsFd;
    sys::wait_readable(&[socket.as_fd()], std::time::Duration::from_millis(100));
    sys::receive(socket)
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

fn remove(folder: &Path) {
    // What is gone already need not be removed.
    let _ = fs::remove_file(folder.join("rings"));
    let _ = fs::remove_dir(folder);
}

impl Drop for Door {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}
