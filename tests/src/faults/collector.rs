//! Stands in for `glasspoll run`: takes records, and throws them away.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

/// A socket to which records are sent.
#[derive(Debug)]
pub struct Collector {
    dir: tempfile::TempDir,
}

impl Collector {
    /// Starts a thread that takes records until the process ends.
    ///
    /// # Panics
    /// If it cannot make a socket.
    pub fn begin() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = listen(&dir.path().join("socket"));
        thread::spawn(move || loop {
            // SAFETY: null is allowed; the number is ours.
            unsafe {
                let one = libc::accept(socket, std::ptr::null_mut(), std::ptr::null_mut());
                let mut byte = 0u8;
                libc::recv(one, (&raw mut byte).cast(), 1, 0);
                libc::close(one);
            }
        });
        Self { dir }
    }

    /// The path of the socket.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

fn listen(path: &Path) -> i32 {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
    for (to, from) in address.sun_path.iter_mut().zip(path.as_os_str().as_bytes()) {
        *to = *from as libc::c_char;
    }
    // SAFETY: a valid address, and its size.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0);
        let bound = libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as u32);
        assert!(socket >= 0 && bound == 0 && libc::listen(socket, 64) == 0, "a socket");
        socket
    }
}
