//! Wakeups by real-time signal: `F_SETOWN_EX`, `F_SETSIG`, O_ASYNC, read through a signalfd.
//!
//! The kernel sends one signal for each wakeup of the file to the whole process, and does not merge them; all
//! threads block the signal. `si_band` is not exact: "readable" can also mean a hang-up.
//!
//! When the queue of real-time signals is full, the kernel sends one plain SIGIO instead, and every armed file
//! must be asked.
//!
//! Linux: `fs/fcntl.c:send_sigio_to_task`.

use crate::sync::{AtomicBool, AtomicI32, Ordering};
use crate::sys::{self, Errno};
use crate::uapi::{EPOLLERR, READ_SIDE, URGENT, WRITE_SIDE};

const INFO: usize = std::mem::size_of::<libc::signalfd_siginfo>();
const BATCH: usize = 64;

/// The process's signalfd.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The real-time signal; 0: none, every file is polled.
    signal: i32,
    fd: AtomicI32,
    with_sigio: AtomicBool,
}

impl Signals {
    pub(crate) fn new(signal: i32) -> Self {
        Self { signal, fd: AtomicI32::new(-1), with_sigio: AtomicBool::new(true) }
    }

    /// Whether signals are off: every file is polled.
    pub(crate) fn is_off(&self) -> bool {
        self.signal == 0
    }

    /// Whether there is a signalfd, or signals are off.
    pub(crate) fn is_open(&self) -> bool {
        self.signal == 0 || self.fd() >= 0
    }

    pub(crate) fn fd_cell(&self) -> &AtomicI32 {
        &self.fd
    }

    pub(crate) fn fd(&self) -> i32 {
        self.fd.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> Result<(), Errno> {
        if !self.is_open() {
            let fd = sys::signalfd(-1, self.mask(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)?;
            self.fd.store(sys::move_high(fd), Ordering::SeqCst);
        }
        Ok(())
    }

    pub(crate) fn will_take_sigio(&self, take: bool) {
        self.with_sigio.store(take, Ordering::SeqCst);
    }

    pub(crate) fn take_sigio(&self, take: bool) {
        self.will_take_sigio(take);
        if self.fd() >= 0 {
            let _ = sys::signalfd(self.fd(), self.mask(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        }
    }

    fn mask(&self) -> u64 {
        let sigio = self.with_sigio.load(Ordering::SeqCst);
        1 << (self.signal - 1) | u64::from(sigio) << (libc::SIGIO - 1)
    }

    /// Whether any of our signals is queued.
    pub(crate) fn are_pending(&self) -> bool {
        self.signal != 0 && self.fd() >= 0 && sys::pending_signals() & self.mask() != 0
    }

    /// The signals that are pending for the calling thread, without ours.
    pub(crate) fn pending(&self) -> u64 {
        let ours = if self.signal == 0 { 0 } else { self.mask() };
        sys::pending_signals() & !ours
    }

    /// Reads all queued signals into `buf`, oldest first. `signalled` gets the signal's fd, its pollflags, and
    /// the later signals of the same read; `overflow` is called if the queue ran over.
    pub(crate) fn drain(
        &self,
        buf: &mut Vec<u8>,
        mut signalled: impl FnMut(i32, u32, &Later<'_>),
        mut overflow: impl FnMut(),
    ) {
        if self.signal == 0 || self.fd() < 0 {
            return;
        }
        buf.resize(INFO * BATCH, 0);
        loop {
            let read = sys::read(self.fd(), buf).unwrap_or(0);
            let mut rest = &buf[..read];
            while let Some((info, later)) = rest.split_first_chunk::<INFO>() {
                rest = later;
                let info = record(info);
                if info.ssi_signo as i32 == self.signal {
                    signalled(info.ssi_fd, pollflags_of_band(info.ssi_band), &Later(later));
                } else {
                    overflow();
                }
            }
            if read < buf.len() {
                return;
            }
        }
    }

    /// Asks the kernel to signal this file's wakeups to process `pid`. Returns whether the file supports that.
    pub(crate) fn arm(&self, fd: i32, pid: i32) -> bool {
        // The ioctl succeeds even on files that never signal, but then the flag does not stick. A file without
        // an owner sends no signal, so the owner is set last.
        if self.signal == 0 || self.fd() < 0 || sys::set_async(fd, true).is_err() {
            return false;
        }
        let armed = match sys::fcntl(fd, libc::F_GETFL, 0) {
            Ok(flags) if flags & libc::O_ASYNC == 0 => return false,
            Ok(_) => {
                sys::fcntl(fd, sys::F_SETSIG, self.signal as usize).is_ok() && sys::set_owner(fd, pid).is_ok()
            }
            Err(_) => false,
        };
        if !armed {
            self.disarm(fd);
        }
        armed
    }

    /// Ends the signals of the file.
    pub(crate) fn disarm(&self, fd: i32) {
        let _ = sys::set_async(fd, false);
        let _ = sys::set_owner(fd, 0);
        let _ = sys::fcntl(fd, sys::F_SETSIG, 0);
    }
}

fn record(info: &[u8; INFO]) -> libc::signalfd_siginfo {
    // SAFETY: the kernel wrote a whole record; it is plain numbers, read unaligned.
    unsafe { std::ptr::read_unaligned(info.as_ptr().cast()) }
}

/// Signals that were read, after the one that is being handled.
pub(crate) struct Later<'a>(&'a [u8]);

impl Later<'_> {
    /// How many of them say that the file may be readable, or at its end.
    pub(crate) fn readable(&self, fd: i32) -> usize {
        let (infos, _) = self.0.as_chunks::<INFO>();
        let of_file = infos.iter().map(record).filter(|info| info.ssi_fd == fd);
        of_file
            .map(|info| pollflags_of_band(info.ssi_band))
            .filter(|pollflags| *pollflags == 0 || pollflags & READ_SIDE != 0)
            .count()
    }
}

/// The pollflags of a wakeup with this band; 0 is "anything".
/// Linux: `fs/fcntl.c:band_table`.
fn pollflags_of_band(band: u32) -> u32 {
    let has = |bit: i16| band & bit as u32 != 0;
    if has(libc::POLLHUP) {
        0
    } else if has(libc::POLLERR) {
        EPOLLERR
    } else if has(libc::POLLIN) {
        READ_SIDE
    } else if has(libc::POLLPRI) {
        URGENT
    } else if has(libc::POLLOUT) {
        WRITE_SIDE
    } else {
        0
    }
}
