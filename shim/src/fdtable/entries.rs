//! The file behind each fd: an array of pointers, so that a look-up is an indexed load and a count.
//!
//! The lowest bit of an entry is its lock, held for a few instructions: a thread that finds the file there counts it
//! before its fd can leave the table. Only taken inside `context`, so neither a handler of the program nor a forked
//! child finds it held.

use std::hint;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use glasspoll_reactor::eventpoll::release_file;
use glasspoll_reactor::file::File;
use glasspoll_reactor::sync::abandoned;
use glasspoll_reactor::sys;

use super::tables;

const LOCKED: usize = 1;

fn entry(fd: i32) -> Option<&'static AtomicPtr<File>> {
    tables::entry(usize::try_from(fd).ok()?)
}

/// An entry whose lock this thread holds.
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
                abandoned::leave_if_so();
            }
        }
    }

    fn get(&self) -> Option<Arc<File>> {
        if self.file.is_null() {
            return None;
        }
        // SAFETY: the fd holds a reference, which keeps a count, and cannot go while we hold its lock.
        unsafe {
            Arc::increment_strong_count(self.file);
            Some(Arc::from_raw(self.file))
        }
    }

    fn hold(&self) -> Option<FileRef> {
        if self.file.is_null() {
            return None;
        }
        // SAFETY: the fd holds a reference, which cannot go while we hold its lock, and is not dropped here.
        let by_fd = ManuallyDrop::new(unsafe { FileRef::from_raw(self.file) });
        Some(by_fd.another())
    }
}

/// A reference to a file (`File::get`), held by an fd or a call. All references together keep one count of its `Arc`.
pub struct FileRef(ManuallyDrop<Arc<File>>);

impl FileRef {
    /// The first reference to a new file, which `File::new` counted.
    pub(super) fn first(file: Arc<File>) -> Self {
        Self(ManuallyDrop::new(file))
    }

    /// Takes one more reference.
    pub(super) fn another(&self) -> Self {
        self.get();
        // SAFETY: as long as this reference exists, a count is kept.
        Self(ManuallyDrop::new(unsafe { Arc::from_raw(Arc::as_ptr(&self.0)) }))
    }

    /// Drops it. Returns the file if there are other references.
    pub(super) fn end(self) -> Option<Arc<File>> {
        let file = Arc::clone(&self);
        let mut used = ManuallyDrop::new(self);
        if file.put() {
            used.release();
            return None;
        }
        Some(file)
    }

    /// Preconditions: it was the last reference.
    fn release(&mut self) {
        release_file(&self.0);
        // SAFETY: the count goes with the last reference.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }

    fn into_raw(self) -> *mut File {
        Arc::as_ptr(&ManuallyDrop::new(self).0).cast_mut()
    }

    /// # Safety
    /// From `into_raw`, once.
    unsafe fn from_raw(file: *mut File) -> Self {
        // SAFETY: as long as a reference exists, a count is kept.
        Self(ManuallyDrop::new(unsafe { Arc::from_raw(file) }))
    }
}

impl Deref for FileRef {
    type Target = Arc<File>;

    fn deref(&self) -> &Arc<File> {
        &self.0
    }
}

impl Drop for FileRef {
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

/// The file behind an fd.
pub(super) fn get(fd: i32) -> Option<Arc<File>> {
    FdEntry::lock(fd)?.get()
}

/// The file behind an fd, with a reference taken before the fd can leave the table.
pub(super) fn hold(fd: i32) -> Option<FileRef> {
    FdEntry::lock(fd)?.hold()
}

/// Whether `fd` is one of this file.
pub(super) fn is(fd: i32, file: &Arc<File>) -> bool {
    let at = entry(fd).map_or(ptr::null_mut(), |entry| entry.load(Ordering::Acquire));
    ptr::eq(at.map_addr(|addr| addr & !LOCKED), Arc::as_ptr(file))
}

/// Why a file was not entered.
pub(super) enum Refused {
    /// This file is already there.
    Taken(FileRef),
    /// The fd is not to have it.
    NotAgreed,
}

/// Enters a file, if `agreed` says yes; it runs with the entry locked.
pub(super) fn enter(fd: i32, file: FileRef, agreed: impl FnOnce() -> bool) -> Result<(), Refused> {
    let mut entry = FdEntry::lock(fd).ok_or(Refused::NotAgreed)?;
    if let Some(other) = entry.hold() {
        return Err(Refused::Taken(other));
    }
    if !agreed() {
        return Err(Refused::NotAgreed);
    }
    entry.file = file.into_raw();
    Ok(())
}

/// Takes the file out; `meanwhile` runs with the entry locked.
pub(super) fn take(fd: i32, meanwhile: impl FnOnce()) -> Option<FileRef> {
    let mut entry = FdEntry::lock(fd)?;
    meanwhile();
    let file = std::mem::replace(&mut entry.file, ptr::null_mut());
    // SAFETY: what `enter` has put there.
    (!file.is_null()).then(|| unsafe { FileRef::from_raw(file) })
}
