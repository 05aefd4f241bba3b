//! Sets and items that exist already: what /proc/self/fdinfo says of a set of the kernel's.
//!
//! Linux: `fs/eventpoll.c:ep_show_fdinfo`.

use std::sync::atomic::{AtomicU64, Ordering};

use glasspoll_reactor::sys;
use glasspoll_reactor::uapi::EpollEvent;
use glasspoll_record::event::Event;

use crate::fdtable::{self, FdRef, Held};
use crate::process::{self, record};

/// Enters the set behind `epfd`, which we have not seen.
pub fn enter(epfd: i32) {
    process::begin_observing();
    if let Some(other) = fdtable::kernel_sets().into_iter().find(|other| sys::is_same_file(*other, epfd)) {
        fdtable::duplicated(other, epfd);
        return;
    }
    fdtable::insert_kernel_set(process::shared(), epfd, true);
    enter_items(epfd, &[]);
}

/// How long after a look no other is made.
const PAUSE_NS: u64 = 200_000_000;

/// Among these events is one of an item that we do not know: looks which items the set has, but not too often.
pub fn look_again(epfd: i32, events: &[EpollEvent]) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let (now, last) = (sys::now_coarse(), LAST.load(Ordering::Relaxed));
    let is_due = last == 0 || now.saturating_sub(last) > PAUSE_NS;
    if is_due && LAST.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        enter_items(epfd, events);
    }
}

/// An item, as fdinfo shows it.
struct Shown {
    fd: i32,
    event: EpollEvent,
    /// The inode and the device, which kernels before 5.10 do not tell.
    file: Option<(u64, u64)>,
}

/// Parses `tfd:        5 events:       19 data:                5  pos:0 ino:61 sdev:9`.
fn parse(line: &str) -> Option<Shown> {
    let mut words = line.split(|c: char| c == ':' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let mut value = |name: &str| words.by_ref().skip_while(|word| *word != name).nth(1);
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let fd = value("tfd")?.parse().ok()?;
    let events = hex(value("events")?)? as u32;
    let data = hex(value("data")?)?;
    let inode = value("ino").and_then(hex);
    let device = value("sdev").and_then(hex);
    Some(Shown { fd, event: EpollEvent { events, data }, file: inode.zip(device) })
}

/// Linux: `include/linux/kdev_t.h:new_encode_dev` makes the st_dev of stat(2) from the device that fdinfo shows.
fn encode_device(device: u64) -> u64 {
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

impl Shown {
    /// Whether `fd` may stand for the item's file.
    fn is_behind(&self, fd: i32) -> bool {
        sys::fstat(fd).is_ok_and(|stat| {
            self.file
                .is_none_or(|(inode, device)| stat.st_ino == inode && stat.st_dev == encode_device(device))
        })
    }

    /// Another fd of the item's file, whose own fd was closed. Files without a type, such as eventfds, all have the same
    /// inode: which of them it is cannot be told.
    fn other_fd(&self) -> Option<i32> {
        self.file?;
        let has_inode = |fd: &i32| sys::fstat(*fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT != 0);
        let others = fdtable::known(0, u32::MAX).into_iter().filter(|fd| *fd != self.fd);
        others.filter(has_inode).find(|fd| self.is_behind(*fd))
    }
}

fn enter_items(epfd: i32, events: &[EpollEvent]) {
    let text = read_fdinfo(epfd);
    if text.is_empty() {
        events.iter().for_each(|event| guess_item(epfd, *event));
    }
    for line in text.lines() {
        let Some(shown) = parse(line) else { continue };
        let is_open = shown.is_behind(shown.fd);
        let fd = if is_open { Some(shown.fd) } else { shown.other_fd() };
        let file = fd.and_then(|fd| fdtable::track(FdRef::of(fd)).ok());
        let is_new = fdtable::with_set(FdRef::of(epfd), |ep| match &file {
            Some(Held(file)) => ep.found_item(file, shown.fd, shown.event),
            // The file is open in another process alone.
            None => ep.found_orphan(shown.fd, shown.event),
        });
        if let (Some(true), Some(fd), false) = (is_new, fd, is_open) {
            record::note(Event::Close { fd: shown.fd, lives_as: fd, errno: 0 });
        }
    }
}

/// Without /proc, as in a chroot: if the lower half of the data is an fd of the set's, as in most programs, it is that
/// one. Its interest is not known; the events show a part of it.
fn guess_item(epfd: i32, event: EpollEvent) {
    let fd = event.data as u32 as i32;
    if sys::epoll_member(epfd, fd) == sys::Member::This {
        if let Ok(Held(file)) = fdtable::track(FdRef::of(fd)) {
            fdtable::with_set(FdRef::of(epfd), |ep| ep.found_item(&file, fd, event));
        }
    }
}

fn read_fdinfo(fd: i32) -> String {
    let Ok(path) = std::ffi::CString::new(format!("/proc/self/fdinfo/{fd}")) else { return String::new() };
    let mut text = Vec::new();
    if let Ok(file) = sys::open(&path, libc::O_RDONLY | libc::O_CLOEXEC, 0) {
        // The program's stack may be small.
        let mut buf = vec![0; 4096];
        while let Ok(read @ 1..) = sys::read(file, &mut buf) {
            text.extend_from_slice(&buf[..read]);
        }
        let _ = sys::close(file);
    }
    String::from_utf8_lossy(&text).into_owned()
}
