//! Files that report a change only to the first poll after it.
//!
//! Their other bits are always the same, so only a change is an edge. /proc/mdstat and the files of sysfs and
//! control groups are different: they report a change until they are read.

use crate::file::{KernelFile, Marks};
use crate::sync::Ordering;
use crate::sys::{self, magic};
use crate::uapi::*;

/// How a file reports a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum News {
    /// As most files: to every poll.
    Level,
    /// PRI and ERR, and no OUT: sysctls, mounts, swaps. A file of /proc that never changes counts as one of
    /// these.
    /// Linux: `fs/proc/proc_sysctl.c:proc_sys_poll`, `fs/proc_namespace.c:mounts_poll`, `mm/swapfile.c:swaps_poll`.
    Change,
    /// PRI, beside the bits it always reports: /proc/pressure, and a control group's `*.pressure`. Without a
    /// trigger it always reports PRI and ERR, and wakes no waiter.
    /// Linux: `kernel/sched/psi.c:psi_trigger_poll`.
    Pressure,
    /// IN: /proc/bus/input/devices. Linux: `drivers/input/input.c:input_proc_devices_poll`.
    Devices,
}

impl News {
    const ALL: [Self; 4] = [News::Level, News::Change, News::Pressure, News::Devices];

    fn of_marks(marks: Marks) -> Self {
        Self::ALL[usize::from((marks & Marks::NEWS).bits() >> Marks::NEWS.bits().trailing_zeros())]
    }

    /// As marks of the file.
    pub(super) fn marks(self) -> Marks {
        Marks::from_bits_retain(u16::from(self as u8) << Marks::NEWS.bits().trailing_zeros())
    }

    /// How a regular file reports a change.
    pub(super) fn of(fd: i32) -> Self {
        let filesystem = sys::filesystem(fd);
        if !matches!(filesystem, Ok(magic::PROC | magic::CGROUP2)) {
            return News::Level;
        }
        let path = sys::path_of(fd).unwrap_or_default();
        let folder = |name: &[u8]| path.windows(name.len()).any(|part| part == name);
        match filesystem {
            Ok(magic::CGROUP2) if path.ends_with(b"/cgroup.pressure") => News::Level,
            Ok(magic::CGROUP2) if path.ends_with(b".pressure") => News::Pressure,
            Ok(magic::CGROUP2) => News::Level,
            _ if path.ends_with(b"/mdstat") || path.ends_with(b"/kmsg") || folder(b"/rpc/") => News::Level,
            _ if path.ends_with(b"/input/devices") => News::Devices,
            _ if folder(b"/pressure/") => News::Pressure,
            _ => News::Change,
        }
    }

    /// The bits that a poll takes. All are among the lowest eight.
    pub(super) fn taken(self) -> u32 {
        match self {
            News::Level => 0,
            News::Change => EPOLLPRI | EPOLLERR,
            News::Pressure => EPOLLPRI,
            News::Devices => EPOLLIN | EPOLLRDNORM,
        }
    }

    /// The bits that it does not report together with a change.
    pub(super) fn absent(self) -> u32 {
        match self {
            News::Change => EPOLLOUT | EPOLLWRNORM,
            News::Level | News::Pressure | News::Devices => 0,
        }
    }

    /// The bits that are never new.
    pub(super) fn steady(self) -> u32 {
        match self {
            News::Level => 0,
            _ => !self.taken(),
        }
    }
}

/// A regular file that can be polled is one of /proc or the like.
pub(super) fn is_regular(fd: i32) -> bool {
    sys::fstat(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
}

impl KernelFile {
    /// How it reports a change.
    pub(super) fn news_kind(&self) -> News {
        News::of_marks(self.marks.get())
    }

    /// The bits that are never new.
    pub(in crate::watch) fn steady(&self) -> u32 {
        self.news_kind().steady()
    }

    /// Called after a poll that delivers nothing: keeps the bits that the poll took for the next delivery.
    /// Returns all bits that are ready, with those kept before.
    pub(in crate::watch) fn keep_news(&self, found: u32) -> u32 {
        match self.news_kind() {
            News::Level => found,
            kind if found & kind.steady() & EPOLLERR != 0 => found,
            kind => {
                let news = (found & kind.taken()) as u8;
                self.with_news(found, self.news.fetch_or(news, Ordering::SeqCst))
            }
        }
    }

    /// What the file says now, together with news kept before.
    pub(super) fn with_news(&self, found: u32, kept: u8) -> u32 {
        match kept {
            0 => found,
            kept => found & !self.news_kind().absent() | u32::from(kept),
        }
    }

    /// The readiness now, for a caller that delivers nothing.
    pub fn look(&self, mask: u32) -> u32 {
        self.keep_news(self.ask(mask))
    }

    pub(super) fn ask(&self, mask: u32) -> u32 {
        let mut fds = [libc::pollfd { fd: self.fd(), events: mask as i16, revents: 0 }];
        match sys::poll_now(&mut fds) {
            Ok(_) => fds[0].revents as u16 as u32 & !EPOLLNVAL,
            Err(_) => 0,
        }
    }
}
