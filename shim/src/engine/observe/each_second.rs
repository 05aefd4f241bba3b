//! What a library that came late does about once a second, in a wait of the program's.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use glasspoll_reactor::sys::{self, NSEC_PER_SEC};

/// A function, or null.
static WORK: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static LAST: AtomicU64 = AtomicU64::new(0);

/// Waits call `work` from now on, inside, about once a second.
pub fn set(work: Option<fn()>) {
    WORK.store(work.map_or(std::ptr::null_mut(), |work| work as *mut ()), Ordering::Release);
}

/// Whether it may be time for the work.
#[inline]
pub fn is_due() -> bool {
    let has_passed = || sys::now_coarse().saturating_sub(LAST.load(Ordering::Relaxed)) >= NSEC_PER_SEC;
    !WORK.load(Ordering::Relaxed).is_null() && has_passed()
}

/// Does the work if it is time.
#[inline]
pub fn run_if_due() {
    let work = WORK.load(Ordering::Acquire);
    if !work.is_null() {
        run(work);
    }
}

fn run(work: *mut ()) {
    let (now, last) = (sys::now_coarse(), LAST.load(Ordering::Relaxed));
    let is_due = now.saturating_sub(last) >= NSEC_PER_SEC;
    if is_due && LAST.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        // SAFETY: only `set` stores here, and it stores a `fn()`.
        unsafe { std::mem::transmute::<*mut (), fn()>(work)() };
    }
}
