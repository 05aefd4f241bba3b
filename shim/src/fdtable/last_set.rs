//! The epoll instance that a thread used last: one comparison finds it again, without counting.
//!
//! The thread keeps it in memory, so that no other instance gets its address. It does not keep it open: after the
//! last close, the instance refuses new items.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::file::File;

use super::entries;
use super::fd_ref::FdRef;
use crate::thread::{with_thread, Thread};

/// Runs `work` with the epoll instance behind an fd. None: the fd is no epoll instance of ours, or is being closed.
///
/// Preconditions: the thread is inside.
pub fn with_set<T>(epfd: FdRef, work: impl FnOnce(&Arc<Eventpoll>) -> T) -> Option<T> {
    if !epfd.is_set() {
        return None;
    }
    with_thread(|thread| {
        let kept = take(thread).filter(|file| entries::is(epfd.fd(), file));
        let file = kept.or_else(|| entries::get(epfd.fd()))?;
        let done = file.eventpoll().map(work);
        forget_set(thread);
        thread.set.set(Arc::into_raw(file));
        done
    })
}

/// The same without going inside, if it is the instance that the thread used last. `work` takes no lock, and no frame
/// between this one and the program's has anything to clean up.
///
/// A handler of the program may run on top, use another instance, and even not return. So the thread keeps none
/// meanwhile.
#[inline]
pub fn with_last_set<T>(epfd: FdRef, work: impl FnOnce(&Eventpoll) -> T) -> Option<T> {
    if !epfd.is_set() {
        return None;
    }
    with_thread(|thread| {
        let kept = ManuallyDrop::new(take(thread)?);
        let is_it = entries::is(epfd.fd(), &kept);
        let done = if is_it { kept.eventpoll().map(|set| work(set)) } else { None };
        if thread.set.get().is_null() {
            thread.set.set(Arc::as_ptr(&kept));
        }
        // Else a handler has put another one there, and the count of this one is not given back: memory is not freed
        // out here.
        done
    })
}

fn take(thread: &Thread) -> Option<Arc<File>> {
    let kept = thread.set.replace(std::ptr::null());
    // SAFETY: what `with_set` has put there, with its count.
    (!kept.is_null()).then(|| unsafe { Arc::from_raw(kept) })
}

/// Called when the thread ends.
pub fn forget_set(thread: &Thread) {
    drop(take(thread));
}
