//! sendmsg(2), recvmsg(2) and their kin: reads and writes that may carry descriptors.
//!
//! A descriptor that comes with a message is a file of this process under another fd, or shared with its sender.

use glasspoll_record::event::{Call, Op};
use libc::{c_int, c_uint, mmsghdr, msghdr, ssize_t, timespec};
use syscalls::Errno;

use crate::fdtable::{self, drain_hints, BLOCKING, BORN, HINT, IO, ROOM};
use crate::interpose::read_write::{
    at_once, length, note, note_blocked, note_refused, pthread_testcancel, was_refused, would_block, Way,
};
use crate::interpose::{errno, guarded, set_errno};
use crate::process::{self, record};
use crate::thread::context;

/// Calls `look` with every descriptor in a message.
///
/// # Safety
/// The header and its control data are valid.
unsafe fn for_descriptors(msg: *const msghdr, look: fn(c_int)) {
    let errno = errno();
    guarded((), || {
        if process::is_vfork_child() {
            return;
        }
        let _guard = context::enter();
        // SAFETY: the caller's promise.
        unsafe {
            let mut cmsg = libc::CMSG_FIRSTHDR(msg);
            while !cmsg.is_null() {
                if (*cmsg).cmsg_level == libc::SOL_SOCKET && (*cmsg).cmsg_type == libc::SCM_RIGHTS {
                    let data = libc::CMSG_DATA(cmsg);
                    let bytes = ((*cmsg).cmsg_len as usize).saturating_sub(data as usize - cmsg as usize);
                    for n in 0..bytes / size_of::<c_int>() {
                        look(data.cast::<c_int>().add(n).read_unaligned());
                    }
                }
                cmsg = libc::CMSG_NXTHDR(msg, cmsg);
            }
        }
    });
    set_errno(Errno::new(errno));
}

crate::interpose! {
    /// sendmsg(2).
    fn sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t |real| {
        let timed = record::time_if(flags & libc::MSG_DONTWAIT == 0);
        // SAFETY: libc's own function; no destructor in this frame.
        let put = unsafe { real()(fd, msg, flags) };
        timed.end(Call::Write, fd, put as i64);
        // SAFETY: on success the kernel has read the header.
        unsafe {
            if put >= 0 && (*msg).msg_controllen > 0 {
                for_descriptors(msg, fdtable::sent);
            }
        }
        let flags = fdtable::flags(fd);
        // SAFETY: as above.
        record::io(fd, flags, Op::Write, put, || unsafe { length((*msg).msg_iov, (*msg).msg_iovlen as c_int) });
        if flags & IO != 0 {
            // SAFETY: the kernel has just read the header and the vector.
            note(fd, Way::Out, put, 0, || unsafe { length((*msg).msg_iov, (*msg).msg_iovlen as c_int) });
        }
        // SAFETY: as above; the header is read if the kernel could not take it all.
        if flags & (ROOM | HINT) != 0 && was_refused(put, || unsafe { length((*msg).msg_iov, (*msg).msg_iovlen as c_int) }) {
            note_refused(fd);
        }
        put
    }
}

crate::interpose! {
    /// recvmsg(2).
    fn recvmsg(fd: c_int, msg: *mut msghdr, flags: c_int) -> ssize_t |real| {
        // SAFETY: libc's own function, with what the program called us with; no destructor in this frame.
        let call = |real: Function| unsafe { real(fd, msg, flags) };
        let before = fdtable::flags(fd);
        if before & BORN != 0 {
            fdtable::untouched::touched(fd);
        }
        let at_once_got = if before & IO == 0 {
            None
        } else {
            // SAFETY: as above.
            unsafe { pthread_testcancel() };
            // Looked up before we go inside: a thread in the loader may hold its lock and wait for one of ours.
            let real = real();
            at_once(fd, Way::In, flags, |_| 0, || false, || call(real))
        };
        let blocks = at_once_got.is_none() && before & BLOCKING != 0 && would_block(fd, Way::In);
        let timed = record::time_if(at_once_got.is_none() && flags & libc::MSG_DONTWAIT == 0);
        let got = match at_once_got {
            Some(got) => got,
            None => call(real()),
        };
        timed.end(Call::Read, fd, got as i64);
        // SAFETY: on success the kernel has filled the header.
        unsafe {
            if got >= 0 && (*msg).msg_controllen > 0 {
                for_descriptors(msg, fdtable::received);
            }
        }
        if blocks {
            note_blocked(fd);
        }
        let known = fdtable::flags(fd);
        if flags & (libc::MSG_PEEK | libc::MSG_ERRQUEUE) == 0 {
            // SAFETY: the kernel has just read the vector.
            record::io(fd, known, Op::Read, got, || unsafe { length((*msg).msg_iov, (*msg).msg_iovlen as c_int) });
        }
        if known & IO != 0 && at_once_got.is_none() {
            note(fd, Way::In, got, flags, || 0);
        }
        if known & HINT != 0 {
            // SAFETY: the kernel has just read the vector.
            drain_hints::read(fd, got, unsafe { length((*msg).msg_iov, (*msg).msg_iovlen as c_int) }, flags);
        }
        got
    }
}

crate::interpose! {
    /// recvmmsg(2).
    fn recvmmsg(fd: c_int, msgs: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int |real| {
        let blocks = fdtable::flags(fd) & BLOCKING != 0 && would_block(fd, Way::In);
        let timed = record::time_if(flags & libc::MSG_DONTWAIT == 0);
        // SAFETY: libc's own function; no destructor in this frame.
        let got = unsafe { real()(fd, msgs, count, flags, timeout) };
        timed.end(Call::Read, fd, got.into());
        for n in 0..got.max(0) as usize {
            // SAFETY: the kernel has filled as many headers as it says.
            unsafe {
                let msg = &(*msgs.add(n)).msg_hdr;
                if msg.msg_controllen > 0 {
                    for_descriptors(msg, fdtable::received);
                }
            }
        }
        if blocks {
            note_blocked(fd);
        }
        let known = fdtable::flags(fd);
        record::io(fd, known, Op::Read, got as ssize_t, || count as usize);
        if known & IO != 0 {
            // SAFETY: the kernel has filled as many headers as it says.
            let bytes = |n: usize| unsafe { (*msgs.add(n)).msg_len as ssize_t };
            let got = if got < 0 { -1 } else { (0..got as usize).map(bytes).sum() };
            note(fd, Way::In, got, flags, || 0);
        }
        if known & HINT != 0 {
            drain_hints::read(fd, got as ssize_t, 0, flags);
        }
        got
    }
}

/// Linux: `include/uapi/linux/uio.h`: sendmmsg ignores messages past this count.
const UIO_MAXIOV: c_uint = 1024;

/// Whether a sendmmsg ended for lack of room: before the last message, or in the middle of it.
///
/// # Safety
/// The kernel has read as many headers as it says.
unsafe fn last_was_refused(msgs: *const mmsghdr, count: c_uint, put: c_int) -> bool {
    was_refused(put as ssize_t, || {
        let Some(last) = put.checked_sub(1).filter(|last| *last >= 0) else { return 0 };
        // SAFETY: the caller's promise.
        let taken_whole = unsafe {
            let last = &*msgs.add(last as usize);
            last.msg_len as usize >= length(last.msg_hdr.msg_iov, last.msg_hdr.msg_iovlen as c_int)
        };
        count.min(UIO_MAXIOV) as usize + usize::from(!taken_whole)
    })
}

crate::interpose! {
    /// sendmmsg(2).
    fn sendmmsg(fd: c_int, msgs: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int |real| {
        let timed = record::time_if(flags & libc::MSG_DONTWAIT == 0);
        // SAFETY: libc's own function; no destructor in this frame.
        let put = unsafe { real()(fd, msgs, count, flags) };
        timed.end(Call::Write, fd, put.into());
        for n in 0..put.max(0) as usize {
            // SAFETY: the kernel has read as many headers as it says.
            unsafe {
                let msg = &(*msgs.add(n)).msg_hdr;
                if msg.msg_controllen > 0 {
                    for_descriptors(msg, fdtable::sent);
                }
            }
        }
        let known = fdtable::flags(fd);
        record::io(fd, known, Op::Write, put as ssize_t, || count as usize);
        // SAFETY: as above.
        let refused = known & (IO | ROOM | HINT) != 0 && unsafe { last_was_refused(msgs, count, put) };
        if known & IO != 0 {
            note(fd, Way::Out, put as ssize_t, 0, || put as usize + usize::from(refused));
        }
        if refused && known & (ROOM | HINT) != 0 {
            note_refused(fd);
        }
        put
    }
}
