//! libc's own functions, behind ours.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::stand_in;

/// A libc symbol, looked up once.
pub struct Real {
    name: &'static str,
    address: AtomicPtr<u8>,
}

impl Real {
    /// `name` ends with a NUL.
    pub const fn new(name: &'static str) -> Self {
        Self { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Looks it up, if this libc has it.
    fn look_up(&self) {
        // SAFETY: the name ends with a NUL.
        let found: *const u8 = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr().cast()) }.cast();
        let found = if found.is_null() { stand_in::of(self.name).unwrap_or(found) } else { found };
        self.address.store(found.cast_mut(), Ordering::Relaxed);
    }

    /// The function, if it has been looked up.
    #[inline]
    pub fn known(&self) -> Option<*const u8> {
        let known = self.address.load(Ordering::Relaxed);
        (!known.is_null()).then_some(known.cast_const())
    }

    pub fn get(&self) -> *const u8 {
        let known = self.address.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        self.look_up();
        let found = self.address.load(Ordering::Relaxed);
        // Every libc that can load the library has the others.
        assert!(!found.is_null(), "this libc has no {}", self.name);
        found
    }
}

/// What a child may call between fork(2) and exec(2).
const OF_CHILDREN: &[&str] = &[
    "close",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "fcntl64",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "pthread_sigmask",
    "sigprocmask",
    "read",
    "write",
    "getrlimit",
    "setrlimit",
    "prctl",
    "close_range",
    "fork",
    "sigaction",
];

/// What a malloc(3) calls, which must look up nothing itself (`mmap`).
const OF_MALLOC: &[&str] =
    &["mmap", "mmap64", "munmap", "mprotect", "pkey_mprotect", "mremap", "madvise", "shmat"];

/// Looks up what a malloc(3) calls.
pub fn look_up_for_malloc() {
    all().iter().filter(|real| OF_MALLOC.contains(&real.name.trim_end_matches('\0'))).for_each(Real::look_up);
}

/// Looks up what children call. Each child would take a page fault for every page of the loader's tables. At start-up,
/// because at a fork another thread may hold the loader's lock.
pub fn look_up_for_children() {
    for real in all().iter().filter(|real| OF_CHILDREN.contains(&real.name.trim_end_matches('\0'))) {
        real.get();
    }
    // Before glibc 2.34 a thread's first dlsym allocates, and the program's own malloc may call what is looked up.
    if is_libc_old() {
        look_up_all();
    }
}

/// Whether the libc is a glibc before 2.34.
fn is_libc_old() -> bool {
    // SAFETY: the name ends with a NUL.
    unsafe { libc::dlsym(libc::RTLD_NEXT, c"close_range".as_ptr()).is_null() }
}

/// Looks up everything, so that no call that comes later waits for the loader's lock: a thread that loads an object
/// holds it, and may be waiting for the caller.
pub fn look_up_all() {
    all().iter().filter(|real| real.address.load(Ordering::Relaxed).is_null()).for_each(Real::look_up);
}

fn all() -> &'static [Real] {
    extern "C" {
        // The linker defines these: the bounds of the section.
        static __start_glasspoll_real: u8;
        static __stop_glasspoll_real: u8;
    }
    let [start, stop] =
        [&raw const __start_glasspoll_real, &raw const __stop_glasspoll_real].map(<*const u8>::cast::<Real>);
    // SAFETY: in the section there are statics of this type alone.
    unsafe { std::slice::from_raw_parts(start, stop.offset_from_unsigned(start)) }
}
