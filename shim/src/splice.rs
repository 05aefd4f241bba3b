//! splice(2) to a file whose refused writes are of interest.

use glasspoll_reactor::sys;
use glasspoll_record::event::Op;
use libc::{c_int, c_uint, loff_t, size_t, ssize_t};

use crate::io::{note_refused, was_refused};
use crate::ring;
use crate::table::{self, HINT, ROOM};

crate::interpose! {
    /// splice(2).
    fn splice(from: c_int, at: *mut loff_t, to: c_int, offset: *mut loff_t, len: size_t, flags: c_uint) -> ssize_t |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let put = unsafe { real()(from, at, to, offset, len, flags) };
        ring::io(from, table::flags(from), Op::Read, put, || len);
        ring::io(to, table::flags(to), Op::Write, put, || len);
        // Less than asked for, or none, may also be all that there was.
        if table::flags(to) & (ROOM | HINT) != 0 && was_refused(put, || len) && sys::unread::unread(from) != 0 {
            note_refused(to);
        }
        put
    }
}
