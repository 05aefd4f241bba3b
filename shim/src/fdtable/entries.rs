//! The file behind each number: an array of pointers, so that a look-up is an indexed load and a count.
//!
//! The lowest bit of a entry is its lock, taken for a few instructions: the file that is found there is
//! counted before its number can be taken out. Only taken inside `context`, so no handler of the program
//! finds it held, nor does a forked child.

use std::hint;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use glasspoll_reactor::eventpoll::release_file;
use glasspoll_reactor::file::File;
use glasspoll_reactor::sys;

use super::flags::NR_OPEN;

static ENTRIES: [AtomicPtr<File>; NR_OPEN] = [const { AtomicPtr::new(ptr::null_mut()) }; NR_OPEN];

const LOCKED: usize = 1;

fn entry(fd: i32) -> Option<&'static AtomicPtr<File>> {
    ENTRIES.get(usize::try_from(fd).ok()?)
}

/// A entry of which this thread holds the lock.
struct FdEntry {
    entry: &'static AtomicPtr<File>,
    file: *mut File,
}

impl FdEntry {
    fn lock(fd: i32) -> Option<Self> {
        let entry = entry(fd)?;
        let mut patience = 100;
        loop {
            let file = entry.load(Ordering::Relaxed);
            let free = file.addr() & LOCKED == 0;
            let locked = file.map_addr(|addr| addr | LOCKED);
            if free && entry.compare_exchange_weak(file, locked, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Some(Self { entry, file });
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
        // SAFETY: the number is a use, for which a count is kept, and can't go while we hold its lock.
        unsafe {
            Arc::increment_strong_count(self.file);
            Some(Arc::from_raw(self.file))
        }
    }
}

/// A use of a file (`File::get`), by a number or a call. All uses together keep one count of its `Arc`.
pub struct Used(ManuallyDrop<Arc<File>>);

impl Used {
    /// The first use of a new file, as it was made with.
    pub(super) fn first(file: Arc<File>) -> Self {
        Self(ManuallyDrop::new(file))
    }

    /// One more.
    pub(super) fn another(&self) -> Self {
        self.get();
        // SAFETY: as long as this use lasts, a count is kept.
        Self(ManuallyDrop::new(unsafe { Arc::from_raw(Arc::as_ptr(&self.0)) }))
    }

    /// Ends it. The file, if there are others.
    pub(super) fn end(self) -> Option<Arc<File>> {
        let file = Arc::clone(&self);
        let mut used = ManuallyDrop::new(self);
        if file.put() {
            used.release();
            return None;
        }
        Some(file)
    }

    /// Preconditions: it was the last.
    fn release(&mut self) {
        release_file(&self.0);
        // SAFETY: the count goes with the last use.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }

    fn into_raw(self) -> *mut File {
        Arc::as_ptr(&ManuallyDrop::new(self).0).cast_mut()
    }

    /// # Safety
    /// From `into_raw`, once.
    unsafe fn from_raw(file: *mut File) -> Self {
        // SAFETY: as long as there is a use, a count is kept.
        Self(ManuallyDrop::new(unsafe { Arc::from_raw(file) }))
    }
}

impl Deref for Used {
    type Target = Arc<File>;

    fn deref(&self) -> &Arc<File> {
        &self.0
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        if self.put() {
            self.release();
        }
    }
}

impl Drop for FdEntry {
    fn drop(&mut self) {
        self.entry.store(self.file, Ordering::Release);
    }
}

/// The file behind a number.
pub(super) fn get(fd: i32) -> Option<Arc<File>> {
    FdEntry::lock(fd)?.get()
}

/// The file behind a number, used once more before its number can go.
pub(super) fn hold(fd: i32) -> Option<Used> {
    let entry = FdEntry::lock(fd)?;
    if entry.file.is_null() {
        return None;
    }
    // SAFETY: the number is a use, which can't go while we hold its lock, and is not ended here.
    let by_fd = ManuallyDrop::new(unsafe { Used::from_raw(entry.file) });
    Some(by_fd.another())
}

/// Whether a number stands for this file, which the caller has.
pub(super) fn is(fd: i32, file: &Arc<File>) -> bool {
    let at = entry(fd).map_or(ptr::null_mut(), |entry| entry.load(Ordering::Acquire));
    ptr::eq(at.map_addr(|addr| addr & !LOCKED), Arc::as_ptr(file))
}

/// Enters a file, if `agreed`, which is asked with the entry locked. Err: the file that is there already,
/// or None if it was not agreed.
pub(super) fn enter(fd: i32, file: Used, agreed: impl FnOnce() -> bool) -> Result<(), Option<Arc<File>>> {
    let mut entry = FdEntry::lock(fd).ok_or(None)?;
    if let Some(other) = entry.get() {
        return Err(Some(other));
    }
    if !agreed() {
        return Err(None);
    }
    entry.file = file.into_raw();
    Ok(())
}

/// Takes the file out; `meanwhile` runs with the entry locked.
pub(super) fn take(fd: i32, meanwhile: impl FnOnce()) -> Option<Used> {
    let mut entry = FdEntry::lock(fd)?;
    meanwhile();
    let file = std::mem::replace(&mut entry.file, ptr::null_mut());
    // SAFETY: what `enter` has put there.
    (!file.is_null()).then(|| unsafe { Used::from_raw(file) })
}
