//! mmap(2), munmap(2), mprotect(2), mremap(2), shmat(2), madvise(2): which memory can surely be written (`memory::writable`).
//!
//! A malloc(3) of the program calls these under its own locks, and before we have begun. So nothing is looked up here:
//! until start-up has done that, the call goes to the kernel.

use std::mem;

use glasspoll_reactor::sys;
use libc::{c_int, c_void, off_t, size_t};

use crate::arch::numbers;
use crate::errno::to_kernel;
use crate::interpose::Real;
use crate::memory::writable;

/// Linux 6.13: the pages give SIGSEGV from now on.
const MADV_GUARD_INSTALL: c_int = 102;

/// Defines a function that tells `$before` of the call, and `$after` of its result.
macro_rules! mapping {
    ($($(#[$doc:meta])* fn $name:ident / $nr:ident ($($arg:ident: $type:ty),*) -> $ret:ty, $before:expr, $after:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// As libc's function of that name.
            #[no_mangle]
            pub unsafe extern "C-unwind" fn $name($($arg: $type),*) -> $ret {
                type Function = unsafe extern "C-unwind" fn($($type),*) -> $ret;
                #[used]
                #[link_section = "glasspoll_real"]
                static REAL: Real = Real::new(concat!(stringify!($name), "\0"));
                $before;
                let result = match REAL.known() {
                    // SAFETY: the symbol of that name has this type; the program's own call.
                    Some(real) => unsafe { mem::transmute::<*const u8, Function>(real)($($arg),*) },
                    None => to_kernel(numbers::$nr, sys::args_of(&[$($arg as usize),*])) as $ret,
                };
                let after: fn($ret $(, $type)*) = $after;
                after(result $(, $arg)*);
                result
            }
        )*
    };
}

/// What mmap(2) has done.
fn mapped(result: *mut c_void, len: size_t, protection: c_int, flags: c_int) {
    const WANTED: c_int = libc::PROT_READ | libc::PROT_WRITE;
    if result == libc::MAP_FAILED {
        return;
    }
    writable::remove(result as usize, len);
    // Behind the end of a file there is nothing to write to.
    if flags & (libc::MAP_ANONYMOUS | libc::MAP_HUGETLB) == libc::MAP_ANONYMOUS
        && protection & WANTED == WANTED
    {
        writable::add(result as usize, len);
    }
}

mapping! {
    /// mmap(2).
    fn mmap / SYS_mmap (addr: *mut c_void, len: size_t, protection: c_int, flags: c_int, fd: c_int, offset: off_t) -> *mut c_void,
        if flags & libc::MAP_FIXED != 0 { writable::remove(addr as usize, len) },
        |result, _, len, protection, flags, _, _| mapped(result, len, protection, flags);
    /// The same. On a 64-bit system it differs in its name only.
    fn mmap64 / SYS_mmap (addr: *mut c_void, len: size_t, protection: c_int, flags: c_int, fd: c_int, offset: off_t) -> *mut c_void,
        if flags & libc::MAP_FIXED != 0 { writable::remove(addr as usize, len) },
        |result, _, len, protection, flags, _, _| mapped(result, len, protection, flags);
    /// munmap(2).
    fn munmap / SYS_munmap (addr: *mut c_void, len: size_t) -> c_int, writable::remove(addr as usize, len), |_, _, _| ();
    /// mprotect(2).
    fn mprotect / SYS_mprotect (addr: *mut c_void, len: size_t, protection: c_int) -> c_int,
        writable::remove(addr as usize, len), |_, _, _, _| ();
    /// pkey_mprotect(2).
    fn pkey_mprotect / SYS_pkey_mprotect (addr: *mut c_void, len: size_t, protection: c_int, key: c_int) -> c_int,
        writable::remove(addr as usize, len), |_, _, _, _, _| ();
    /// mremap(2). Variadic in C; the fifth argument is passed in the same register.
    fn mremap / SYS_mremap (addr: *mut c_void, old: size_t, new: size_t, flags: c_int, to: *mut c_void) -> *mut c_void,
        {
            writable::remove(addr as usize, old);
            if flags & libc::MREMAP_FIXED != 0 {
                writable::remove(to as usize, new);
            }
        },
        |_, _, _, _, _, _| ();
    /// shmat(2).
    fn shmat / SYS_shmat (id: c_int, addr: *const c_void, flags: c_int) -> *mut c_void,
        if flags & libc::SHM_REMAP != 0 { writable::remove(addr as usize, usize::MAX) },
        |_, _, _, _| ();
    /// madvise(2).
    fn madvise / SYS_madvise (addr: *mut c_void, len: size_t, advice: c_int) -> c_int,
        if matches!(advice, MADV_GUARD_INSTALL | libc::MADV_DONTFORK) { writable::remove(addr as usize, len) },
        |_, _, _, _| ();
}
