//! Wakeups by real-time signal: `F_SETOWN_EX`, `F_SETSIG`, O_ASYNC, read through a signalfd.
//!
//! The kernel sends one signal for each wakeup of the file, not coalesced, to the whole process; all
//! threads block it. `si_band` is a hint: "readable" can mean a hang-up too.
//!
//! When the queue of real-time signals is full the kernel sends one plain SIGIO instead, and
//! everything must be asked.
//!
//! Linux: `fs/fcntl.c:send_sigio_to_task`.

use crate::sync::{AtomicBool, AtomicI32, Ordering};
use crate::sys::{self, Errno};
use crate::uapi::{EPOLLERR, READ_SIDE, WRITE_SIDE};

const INFO: usize = std::mem::size_of::<libc::signalfd_siginfo>();
const BATCH: usize = 64;

/// The process's signalfd.
#[derive(Debug)]
pub(super) struct Signals {
    /// The real-time signal; 0: none, every file is polled.
    signal: i32,
    fd: AtomicI32,
    with_sigio: AtomicBool,
}

impl Signals {
    pub(super) fn new(signal: i32) -> Self {
        Self { signal, fd: AtomicI32::new(-1), with_sigio: AtomicBool::new(true) }
    }

    pub(super) fn number(&self) -> &AtomicI32 {
        &self.fd
    }

    pub(super) fn fd(&self) -> i32 {
        self.fd.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> Result<(), Errno> {
        if self.signal != 0 {
            let fd = sys::signalfd(-1, self.mask(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)?;
            self.fd.store(sys::move_high(fd), Ordering::SeqCst);
        }
        Ok(())
    }

    pub(super) fn take_sigio(&self, take: bool) {
        self.with_sigio.store(take, Ordering::SeqCst);
        if self.fd() >= 0 {
            let _ = sys::signalfd(self.fd(), self.mask(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        }
    }

    fn mask(&self) -> u64 {
        let sigio = self.with_sigio.load(Ordering::SeqCst);
        1 << (self.signal - 1) | u64::from(sigio) << (libc::SIGIO - 1)
    }

    /// Reads all queued signals, oldest first: `told` gets the file's number and what it may be
    /// ready for, `overflow` is called if the queue ran over.
    pub(super) fn drain(&self, mut told: impl FnMut(i32, u32), mut overflow: impl FnMut()) {
        if self.signal == 0 {
            return;
        }
        let mut buf = [0u8; INFO * BATCH];
        loop {
            let read = sys::read(self.fd(), &mut buf).unwrap_or(0);
            for info in buf[..read].chunks_exact(INFO) {
                // SAFETY: the kernel wrote a whole record; it is plain numbers, read unaligned.
                let info: libc::signalfd_siginfo = unsafe { std::ptr::read_unaligned(info.as_ptr().cast()) };
                if info.ssi_signo as i32 == self.signal {
                    told(info.ssi_fd, hint(info.ssi_band));
                } else {
                    overflow();
                }
            }
            if read < buf.len() {
                return;
            }
        }
    }

    /// Asks the kernel to signal this file's wakeups to process `pid`. False: it does not support it.
    pub(super) fn arm(&self, fd: i32, pid: i32) -> bool {
        let armed = self.signal != 0
            && sys::set_owner(fd, pid).is_ok()
            && sys::fcntl(fd, sys::F_SETSIG, self.signal as usize).is_ok()
            && sys::set_async(fd, true).is_ok();
        // The ioctl succeeds on files that never signal; the flag sticks only on those that do.
        armed && sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_ASYNC != 0)
    }

    /// Ends it.
    pub(super) fn disarm(&self, fd: i32) {
        let _ = sys::set_async(fd, false);
        let _ = sys::set_owner(fd, 0);
        let _ = sys::fcntl(fd, sys::F_SETSIG, 0);
    }
}

/// What a band can mean for the items of a file, as a wakeup's key; 0 is "anything".
/// Linux: `fs/fcntl.c:band_table`.
fn hint(band: u32) -> u32 {
    let has = |bit: i16| band & bit as u32 != 0;
    match () {
        () if has(libc::POLLHUP) => 0,
        () if has(libc::POLLERR) => EPOLLERR,
        () if has(libc::POLLIN | libc::POLLPRI) => READ_SIDE,
        () if has(libc::POLLOUT) => WRITE_SIDE,
        () => 0,
    }
}
