//! A client's socket: TCP or unix; none of its calls block.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A connected socket, or one that is about to be.
#[derive(Debug)]
pub struct Socket(OwnedFd);

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

impl Socket {
    /// Begins to connect to a port of this machine.
    ///
    /// # Errors
    /// What socket(2) and connect(2) give.
    pub fn tcp(port: u16) -> io::Result<Self> {
        let socket = Self::new(libc::AF_INET)?;
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_be_bytes([127, 0, 0, 1]).to_be() },
            sin_zero: [0; 8],
        };
        // SAFETY: the address lives, and the call gets its length.
        let result = unsafe {
            libc::connect(socket.fd(), (&raw const address).cast(), mem::size_of_val(&address) as u32)
        };
        match checked(result) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(socket),
        }
    }

    /// Connects to a unix socket. EAGAIN: try again later.
    ///
    /// # Errors
    /// What socket(2) and connect(2) give.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let socket = Self::new(libc::AF_UNIX)?;
        // SAFETY: all zeros are an address without a path.
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        address.sun_family = libc::AF_UNIX as u16;
        let bytes = path.as_os_str().as_bytes();
        if bytes.len() >= address.sun_path.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (to, from) in address.sun_path.iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        // SAFETY: the address lives, and the call gets its length.
        let result = unsafe {
            libc::connect(socket.fd(), (&raw const address).cast(), mem::size_of_val(&address) as u32)
        };
        checked(result).map(|_| socket)
    }

    fn new(family: libc::c_int) -> io::Result<Self> {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: numbers; the descriptor is new, and ours.
        unsafe { Ok(Self(OwnedFd::from_raw_fd(checked(libc::socket(family, kind, 0))?))) }
    }

    /// Its fd.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Reads what is there. 0 is the end.
    ///
    /// # Errors
    /// What recv(2) gives.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer lives.
        let count = unsafe { libc::recv(self.fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Writes as much as fits.
    ///
    /// # Errors
    /// What send(2) gives.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the bytes live.
        let count = unsafe { libc::send(self.fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Closes it by a reset, if its family has resets.
    pub fn reset(self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the value lives, and the call gets its length.
        unsafe {
            let length = mem::size_of_val(&linger) as u32;
            libc::setsockopt(
                self.fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                length,
            );
        }
    }
}
