//! splice(2), tee(2) and vmsplice(2), where they change what a set must report.

use glasspoll_reactor::sys;
use glasspoll_reactor::sys::unread::unread;
use glasspoll_record::event::Op;
use libc::{c_int, c_uint, iovec, loff_t, size_t, ssize_t};

use crate::fdtable::{self, HINT, IO, ROOM};
use crate::interpose::read_write::{length, note, note_refused, was_refused, Way};
use crate::process::record;

/// Notes that `put` of `len` bytes moved between two files, whose flags are `source` and `sink`. `takes`: the source no
/// longer has these bytes.
fn moved([from, to]: [c_int; 2], [source, sink]: [u32; 2], put: ssize_t, len: size_t, takes: bool) {
    if source & IO == 0 && sink & (IO | ROOM | HINT) == 0 {
        return;
    }
    // A short result may mean that the source had no more, or that the target has no room for more.
    let is_full = was_refused(put, || len) && unread(from) != 0;
    if source & IO != 0 && takes && (put >= 0 || !is_full) {
        note(from, Way::In, put, 0, || 0);
    }
    if sink & IO != 0 && (put >= 0 || is_full) {
        note(to, Way::Out, put, 0, || if is_full { len } else { put as size_t });
    }
    if sink & (ROOM | HINT) != 0 && is_full {
        note_refused(to);
    }
}

crate::interpose! {
    /// splice(2).
    fn splice(from: c_int, at: *mut loff_t, to: c_int, offset: *mut loff_t, len: size_t, flags: c_uint) -> ssize_t |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let put = unsafe { real()(from, at, to, offset, len, flags) };
        let (source, sink) = (fdtable::flags(from), fdtable::flags(to));
        record::io(from, source, Op::Read, put, || len);
        record::io(to, sink, Op::Write, put, || len);
        moved([from, to], [source, sink], put, len, true);
        put
    }
}

crate::interpose! {
    /// tee(2).
    fn tee(from: c_int, to: c_int, len: size_t, flags: c_uint) -> ssize_t |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let put = unsafe { real()(from, to, len, flags) };
        let (source, sink) = (fdtable::flags(from), fdtable::flags(to));
        record::io(to, sink, Op::Write, put, || len);
        moved([from, to], [source, sink], put, len, false);
        put
    }
}

crate::interpose! {
    /// vmsplice(2): from memory into a pipe, or from a pipe into memory.
    fn vmsplice(fd: c_int, iov: *const iovec, count: size_t, flags: c_uint) -> ssize_t |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let put = unsafe { real()(fd, iov, count, flags) };
        if fdtable::flags(fd) & IO != 0 {
            let mode = sys::fcntl(fd, libc::F_GETFL, 0).unwrap_or(0) & libc::O_ACCMODE;
            let way = if mode == libc::O_RDONLY { Way::In } else { Way::Out };
            // SAFETY: the kernel has just read the vector.
            note(fd, way, put, 0, || unsafe { length(iov, count as c_int) });
        }
        put
    }
}
