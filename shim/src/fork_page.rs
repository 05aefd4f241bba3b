//! Forks that libc does not know of (`_Fork`, a raw clone): noticed by a page that the kernel empties in
//! every forked child, at the cost of a load.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use glasspoll_reactor::sys;

/// A page that the kernel empties in every forked child; its first word is 1 here.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
static MEND_FORK: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Has `mend` called, inside, by a child that was forked past libc. Linux 4.14: `MADV_WIPEONFORK`.
pub fn watch_for_forks(mend: fn()) {
    MEND_FORK.store(mend as *mut (), Ordering::SeqCst);
    if let Some(page) = sys::page_wiped_on_fork() {
        page.store(1, Ordering::SeqCst);
        PAGE.store(std::ptr::from_ref(page).cast_mut(), Ordering::SeqCst);
    }
}

fn page() -> Option<&'static AtomicU32> {
    // SAFETY: `watch_for_forks` stores a mapping that stays.
    unsafe { PAGE.load(Ordering::Relaxed).as_ref() }
}

/// Whether this is a forked child that has not been put in order yet.
pub fn was_forked() -> bool {
    page().is_some_and(|page| page.load(Ordering::Relaxed) == 0)
}

/// This process has been put in order.
pub fn renew() {
    if let Some(page) = page() {
        page.store(1, Ordering::SeqCst);
    }
}

/// Puts a child that was forked past libc in order.
#[cold]
pub fn mend() {
    renew();
    let mend = MEND_FORK.load(Ordering::SeqCst);
    if !mend.is_null() {
        // SAFETY: only `watch_for_forks` stores here, and it stores a `fn()`.
        unsafe { std::mem::transmute::<*mut (), fn()>(mend)() };
    }
}
