//! libc's own functions, found behind our names, and the two ways to stand before them.
//!
//! `hook!` runs the whole call `guarded`, which is right for calls that only compute. A cancellation
//! point must not run there: pthread_cancel unwinds the thread by force, and Rust aborts on a forced
//! unwind that reaches a catch. Those are defined with `interpose!`: the frame has no destructor, and
//! calls libc outside of any catch.

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::context;
use crate::options::complain;

/// Defines a libc function that is or may lead to a cancellation point.
///
/// Inside the body `real()` is libc's function, looked up when first asked for.
#[macro_export]
macro_rules! interpose {
    ($(#[$doc:meta])* fn $name:ident ( $($arg:ident : $type:ty),* ) $(-> $ret:ty)? |$real:ident| $body:block) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As libc's function of that name.
        #[no_mangle]
        pub unsafe extern "C-unwind" fn $name($($arg: $type),*) $(-> $ret)? {
            type Function = unsafe extern "C-unwind" fn($($type),*) $(-> $ret)?;
            #[used]
            #[link_section = "glasspoll_real"]
            static REAL: $crate::real::Real = $crate::real::Real::new(concat!(stringify!($name), "\0"));
            // SAFETY: the symbol of that name has this type.
            let $real = || unsafe { std::mem::transmute::<*const u8, Function>(REAL.get()) };
            $body
        }
    };
}

/// Defines a libc function that is no cancellation point, and `$hook` to call it from within.
///
/// After a panic libc's own function answers.
#[macro_export]
macro_rules! hook {
    (unsafe fn $name:ident ( $($arg:ident : $type:ty),* ) -> $ret:ty => $hook:ident $body:block) => {
        #[allow(non_camel_case_types)]
        pub struct $name {
            _private: (),
        }
        #[allow(non_upper_case_globals)]
        static $name: $name = $name { _private: () };

        impl $name {
            fn get(&self) -> unsafe extern "C-unwind" fn($($type),*) -> $ret {
                #[used]
                #[link_section = "glasspoll_real"]
                static REAL: $crate::real::Real = $crate::real::Real::new(concat!(stringify!($name), "\0"));
                // SAFETY: the symbol of that name has this type.
                unsafe { std::mem::transmute::<*const u8, unsafe extern "C-unwind" fn($($type),*) -> $ret>(REAL.get()) }
            }

            #[no_mangle]
            pub unsafe extern "C-unwind" fn $name($($arg: $type),*) -> $ret {
                // SAFETY: the program's own call.
                match $crate::real::guarded(None, || Some(unsafe { $hook($($arg),*) })) {
                    Some(result) => result,
                    // SAFETY: as above.
                    None => unsafe { $name.get()($($arg),*) },
                }
            }
        }

        pub unsafe fn $hook($($arg: $type),*) -> $ret $body
    };
}

/// libc's function behind a `hook!`.
#[macro_export]
macro_rules! real_call {
    ($name:ident ( $($arg:expr),* )) => {{
        // SAFETY: libc's own function of that name, with what the program called us with.
        #[allow(unused_unsafe, clippy::macro_metavars_in_unsafe)]
        unsafe { $name.get()($($arg),*) }
    }};
}

/// A symbol of libc's, looked up once.
pub struct Real {
    name: &'static str,
    address: std::sync::atomic::AtomicPtr<u8>,
}

impl Real {
    /// `name` ends with a NUL.
    pub const fn new(name: &'static str) -> Self {
        Self { name, address: std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Its address.
    pub fn get(&self) -> *const u8 {
        let known = self.address.load(std::sync::atomic::Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: the name ends with a NUL; a missing symbol panics there, which can only be for a
        // function that this libc does not have and the program therefore cannot have called.
        let found = unsafe { redhook::ld_preload::dlsym_next(self.name) };
        self.address.store(found.cast_mut(), std::sync::atomic::Ordering::Relaxed);
        found
    }
}

/// What a child calls between fork(2) and exec(2), if not less.
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
    "sigaction",
];

/// Looks up what children call. Looked up by each child, it would cost it a page fault for each page of the loader's
/// tables: the parent does it once.
pub fn look_up_for_children() {
    static DONE: std::sync::Once = std::sync::Once::new();
    extern "C" {
        // The linker's: where the section of that name begins and ends.
        static __start_glasspoll_real: u8;
        static __stop_glasspoll_real: u8;
    }
    DONE.call_once(|| {
        let [start, stop] = [&raw const __start_glasspoll_real, &raw const __stop_glasspoll_real]
            .map(<*const u8>::cast::<Real>);
        // SAFETY: in the section there are statics of this type alone.
        let all = unsafe { std::slice::from_raw_parts(start, stop.offset_from_unsigned(start)) };
        for real in all.iter().filter(|real| OF_CHILDREN.contains(&real.name.trim_end_matches('\0'))) {
            real.get();
        }
    });
}

/// Runs work of ours, covered: no handler of the program runs meanwhile, and cancellation waits. A
/// panic in it becomes `fallback` and does not reach the program.
///
/// Not inlined, so that the frames of those who call it have nothing to clean up.
#[inline(never)]
pub fn guarded<T>(fallback: T, work: impl FnOnce() -> T) -> T {
    let cover = context::cover();
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!(target: "glasspoll", "a panic was stopped at the border to the program");
        fallback
    });
    context::uncover(cover);
    result
}

/// Has a panic say one line, whatever the program's environment asks of Rust programs.
pub fn be_brief() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no reason given");
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
        complain(&format!("a panic, stopped at the border to the program: {what}{place}; please report it"));
    }));
}

/// Sets `errno`.
pub fn set_errno(errno: syscalls::Errno) {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() = errno.into_raw() };
}

/// `errno` as it is.
pub fn errno() -> i32 {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

/// A result as libc gives it: -1 and errno on failure.
pub fn answer(result: Result<i32, syscalls::Errno>) -> i32 {
    result.unwrap_or_else(|errno| {
        set_errno(errno);
        -1
    })
}
