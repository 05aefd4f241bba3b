//! The program's memory. We touch it only after the kernel has said that we can.
//!
//! A pointer from the program may be anything. The kernel answers EFAULT for a bad one, and so do we: first we make a
//! system call that copies from or to the address, unless it lies in the thread's own stack, or for a store in memory that
//! can surely be written.

use glasspoll_reactor::eventpoll::event_sink::EventSink;
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::uapi::EpollEvent;

use crate::arch::TASK_SIZE;
use crate::memory::writable;
use crate::thread::with_thread;

/// Whether the program's memory can lie in this range. Linux: `access_ok`.
pub fn access_ok(addr: usize, len: usize) -> bool {
    addr.checked_add(len).is_some_and(|end| end <= TASK_SIZE)
}

/// Whether these bytes lie in the calling thread's own stack, and so can be read and written.
#[inline]
fn is_on_own_stack(addr: usize, len: usize) -> bool {
    with_thread(|thread| thread.stack.holds(addr, len))
}

/// Reads an event. Linux: `copy_from_user`.
///
/// # Errors
/// EFAULT if it cannot be read.
pub fn read_event(event: *const libc::epoll_event) -> Result<EpollEvent, Errno> {
    let addr = event as usize;
    let last = addr.checked_add(size_of::<EpollEvent>() - 8).ok_or(Errno::EFAULT)?;
    let readable = is_on_own_stack(addr, size_of::<EpollEvent>())
        || sys::can_read_8(addr)
            && (last >> 12 == addr >> 12 && (last + 7) >> 12 == last >> 12 || sys::can_read_8(last));
    if !readable {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the kernel has just read these bytes, or they lie in the thread's own stack.
    Ok(unsafe { event.cast::<EpollEvent>().read_unaligned() })
}

/// Reads 8 bytes: a signal mask, or half a timespec.
///
/// # Errors
/// EFAULT if they cannot be read.
pub fn read_u64(addr: *const u64) -> Result<u64, Errno> {
    if !sys::can_read_8(addr as usize) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the kernel has just read these bytes.
    Ok(unsafe { addr.read_unaligned() })
}

/// Reads 4 aligned bytes.
///
/// # Errors
/// EFAULT if they cannot be read.
pub fn read_u32(addr: usize) -> Result<u32, Errno> {
    let word = read_u64((addr & !7) as *const u64)?;
    match addr & 7 {
        0 => Ok(word as u32),
        4 => Ok((word >> 32) as u32),
        _ => Err(Errno::EFAULT),
    }
}

/// The program's event buffer.
pub struct Events {
    start: *mut EpollEvent,
    /// The first and last page of a range that was found writable in this call.
    writable: (usize, usize),
}

impl Events {
    pub fn new(start: *mut libc::epoll_event) -> Self {
        Self { start: start.cast(), writable: (1, 0) }
    }

    fn can_write(&mut self, addr: usize) -> bool {
        let (first, last) = (addr >> 12, (addr + size_of::<EpollEvent>() - 1) >> 12);
        if self.writable.0 <= first && last <= self.writable.1 {
            return true;
        }
        if is_on_own_stack(addr, size_of::<EpollEvent>()) || writable::holds(addr, size_of::<EpollEvent>()) {
            return true;
        }
        // SAFETY: these are bytes of an event that is about to be stored there.
        let is_writable = unsafe {
            sys::can_write_4(addr) && (first == last || sys::can_write_4(addr + size_of::<EpollEvent>() - 4))
        };
        if is_writable {
            writable::note(first);
            writable::note(last);
            self.writable = (first.min(self.writable.0.max(first)), last);
        }
        is_writable
    }
}

impl EventSink for Events {
    fn put(&mut self, index: usize, event: EpollEvent) -> Result<(), Errno> {
        let place = self.start.wrapping_add(index);
        if !self.can_write(place as usize) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: in this call the kernel has written to the first and last bytes of this place, or to those of an
        // earlier one on the same page; or the place lies in the thread's own stack, or in memory that can surely be
        // written.
        unsafe { place.write_unaligned(event) };
        Ok(())
    }
}

/// Stores 8 bytes.
///
/// # Errors
/// EFAULT if they cannot be stored.
pub fn write_u64(addr: *mut u64, value: u64) -> Result<(), Errno> {
    // SAFETY: these are the bytes that are about to be stored.
    let writable =
        unsafe { sys::can_write_4(addr as usize) && sys::can_write_4((addr as usize).wrapping_add(4)) };
    if !writable {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the kernel has just written these bytes.
    unsafe { addr.write_unaligned(value) };
    Ok(())
}

/// Stores 4 bytes.
///
/// # Errors
/// EFAULT if they cannot be stored.
pub fn write_u32(addr: usize, value: u32) -> Result<(), Errno> {
    // SAFETY: these are the bytes that are about to be stored.
    if !unsafe { sys::can_write_4(addr) } {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the kernel has just written these bytes.
    unsafe { (addr as *mut u32).write_unaligned(value) };
    Ok(())
}
