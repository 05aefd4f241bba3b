//! Tells a forked child that it is one, at the cost of a load: the kernel empties this page in the child. So a fork
//! need not run anything in the child, and we notice forks that libc does not know of (`_Fork`, a raw clone).

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use glasspoll_reactor::sys;

/// A forked child that is not yet in order.
const FORKED: u32 = 0;
/// A process in order.
const IN_ORDER: u32 = 1;
/// A forked child that a thread is putting in order.
const MENDING: u32 = 2;

/// A page that the kernel empties in every forked child. Its first word is one of the above.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
static MEND_FORK: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Makes every forked child call `mend`, inside. Linux 4.14: `MADV_WIPEONFORK`.
pub fn watch_for_forks(mend: fn()) {
    MEND_FORK.store(mend as *mut (), Ordering::SeqCst);
    if let Some(page) = sys::page_wiped_on_fork() {
        page.store(IN_ORDER, Ordering::SeqCst);
        PAGE.store(std::ptr::from_ref(page).cast_mut(), Ordering::SeqCst);
    }
}

#[inline]
fn page() -> Option<&'static AtomicU32> {
    // SAFETY: `watch_for_forks` stores a mapping that stays.
    unsafe { PAGE.load(Ordering::Relaxed).as_ref() }
}

/// Whether the page exists. If the kernel has no such pages, libc's fork handlers call `mend`.
pub fn is_there() -> bool {
    page().is_some()
}

/// Whether this is a forked child that is not yet in order.
#[inline]
pub fn was_forked() -> bool {
    page().is_some_and(|page| page.load(Ordering::Acquire) != IN_ORDER)
}

/// Puts a forked child in order. Returns when this thread or another has done so.
#[cold]
pub fn mend() {
    let Some(page) = page() else { return call_mend() };
    if page.compare_exchange(FORKED, MENDING, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        call_mend();
        page.store(IN_ORDER, Ordering::SeqCst);
    }
    while page.load(Ordering::SeqCst) == MENDING {
        sys::yield_now();
    }
}

fn call_mend() {
    let mend = MEND_FORK.load(Ordering::SeqCst);
    if !mend.is_null() {
        // SAFETY: only `watch_for_forks` stores here, and it stores a `fn()`.
        unsafe { std::mem::transmute::<*mut (), fn()>(mend)() };
    }
}
