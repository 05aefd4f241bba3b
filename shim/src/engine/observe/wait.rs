//! epoll_wait(2) on a set of the kernel's: what is recorded before and after the kernel's answer.

use glasspoll_reactor::eventpoll::observed::{Items, KernelWait};
use glasspoll_reactor::sys::Errno;
use glasspoll_reactor::trace;
use glasspoll_reactor::uapi::EpollEvent;
use libc::{c_int, c_long, epoll_event};

use super::{each_second, existing, is_off, with_set};
use crate::engine::Wait;
use crate::errno::errno;
use crate::fdtable::{self, FdRef};
use crate::thread::context;
use crate::thread::guarded::guarded;

/// A wait begins. None: it is not recorded.
pub fn begins(wait: Wait) -> Option<KernelWait> {
    if is_off() {
        return None;
    }
    let maxevents = usize::try_from(wait.maxevents).unwrap_or(0);
    begins_again(wait, maxevents).or_else(|| {
        guarded(None, || {
            let _guard = context::enter()?;
            each_second::run_if_due();
            with_set(wait.epfd, |ep| ep.kernel_wait_begins(maxevents, wait.timeout_ns))
        })
    })
}

/// The usual case: the thread waits on the set that it used last. That is recorded as a read or write is, without going
/// inside.
#[inline]
fn begins_again(wait: Wait, maxevents: usize) -> Option<KernelWait> {
    if !context::may_stay_outside() || each_second::is_due() || trace::enabled() {
        return None;
    }
    fdtable::with_last_set(FdRef::of(wait.epfd), |ep| ep.kernel_wait_begins(maxevents, wait.timeout_ns))
}

/// The kernel has answered, with `result` in libc's form.
pub fn returned(wait: KernelWait, epfd: c_int, events: *const epoll_event, result: c_long) {
    let errno = errno();
    guarded((), || {
        let Some(_guard) = context::enter() else { return };
        let result = match usize::try_from(result) {
            // SAFETY: the kernel has just written these events.
            Ok(sent) => Ok(unsafe { events_at(events, sent) }),
            Err(_) => Err(Errno::new(errno)),
        };
        // Another thread may have closed the set meanwhile.
        let items = fdtable::with_set(FdRef::of(epfd), |ep| ep.kernel_wait_returned(wait, result));
        if items == Some(Items::Missing) {
            existing::look_again(epfd, result.unwrap_or_default());
        }
    });
}

/// # Safety
/// `sent` events are there.
unsafe fn events_at<'a>(events: *const epoll_event, sent: usize) -> &'a [EpollEvent] {
    if sent == 0 {
        return &[];
    }
    // SAFETY: the caller's promise. The two types have the same layout, and no alignment on x86_64; elsewhere the
    // kernel demands none either, but the program's own type is aligned.
    unsafe { std::slice::from_raw_parts(events.cast(), sent) }
}
