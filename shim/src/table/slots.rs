//! The file behind each number: an array of pointers, so that a look-up is an indexed load and a count.
//!
//! The lowest bit of a slot is its lock, taken for a few instructions: the file that is found there is
//! counted before its number can be taken out. Only taken inside `context`, so no handler of the program
//! finds it held, nor does a forked child.

use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use glasspoll_reactor::file::File;
use glasspoll_reactor::sys;

use super::flags::NUMBERS;

static SLOTS: [AtomicPtr<File>; NUMBERS] = [const { AtomicPtr::new(ptr::null_mut()) }; NUMBERS];

const LOCKED: usize = 1;

fn slot(fd: i32) -> Option<&'static AtomicPtr<File>> {
    SLOTS.get(usize::try_from(fd).ok()?)
}

/// A slot of which this thread holds the lock.
struct Slot {
    slot: &'static AtomicPtr<File>,
    file: *mut File,
}

impl Slot {
    fn lock(fd: i32) -> Option<Self> {
        let slot = slot(fd)?;
        let mut patience = 100;
        loop {
            let file = slot.load(Ordering::Relaxed);
            let free = file.addr() & LOCKED == 0;
            let locked = file.map_addr(|addr| addr | LOCKED);
            if free && slot.compare_exchange_weak(file, locked, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Some(Self { slot, file });
            }
            if patience > 0 {
                patience -= 1;
                hint::spin_loop();
            } else {
                sys::yield_now();
            }
        }
    }

    fn get(&self) -> Option<Arc<File>> {
        if self.file.is_null() {
            return None;
        }
        // SAFETY: the table keeps one count of the file that it stores, and we hold its lock.
        unsafe {
            Arc::increment_strong_count(self.file);
            Some(Arc::from_raw(self.file))
        }
    }

    fn put(&mut self, file: Arc<File>) {
        debug_assert!(self.file.is_null());
        self.file = Arc::into_raw(file).cast_mut();
    }

    fn take(&mut self) -> Option<Arc<File>> {
        let file = std::mem::replace(&mut self.file, ptr::null_mut());
        // SAFETY: what `put` stored, whose count passes to the caller.
        (!file.is_null()).then(|| unsafe { Arc::from_raw(file) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slot.store(self.file, Ordering::Release);
    }
}

/// The file behind a number.
pub(super) fn get(fd: i32) -> Option<Arc<File>> {
    Slot::lock(fd)?.get()
}

/// The file behind a number, used once more (`File::get`) before its number can go.
pub(super) fn hold(fd: i32) -> Option<Arc<File>> {
    let slot = Slot::lock(fd)?;
    let file = slot.get()?;
    file.get();
    Some(file)
}

/// Whether a number stands for this file, which the caller has.
pub(super) fn is(fd: i32, file: &Arc<File>) -> bool {
    let at = slot(fd).map_or(ptr::null_mut(), |slot| slot.load(Ordering::Acquire));
    ptr::eq(at.map_addr(|addr| addr & !LOCKED), Arc::as_ptr(file))
}

/// Enters a file, if `agreed`, which is asked with the slot locked. Err: the file that is there already,
/// or None if it was not agreed.
pub(super) fn enter(
    fd: i32,
    file: Arc<File>,
    agreed: impl FnOnce() -> bool,
) -> Result<Arc<File>, Option<Arc<File>>> {
    let mut slot = Slot::lock(fd).ok_or(None)?;
    if let Some(other) = slot.get() {
        return Err(Some(other));
    }
    if !agreed() {
        return Err(None);
    }
    slot.put(file.clone());
    Ok(file)
}

/// Takes the file out; `meanwhile` runs with the slot locked.
pub(super) fn take(fd: i32, meanwhile: impl FnOnce()) -> Option<Arc<File>> {
    let mut slot = Slot::lock(fd)?;
    meanwhile();
    slot.take()
}
