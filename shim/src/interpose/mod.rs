//! The libc functions that we interpose: a file for each man page or family. Here: how we find libc's own functions
//! behind ours, and the two macros that define ours.
//!
//! `hook!` runs the whole call `guarded`, which is right for calls that only compute. A cancellation
//! point must not run there: pthread_cancel unwinds the thread by force, and Rust aborts when a forced
//! unwind reaches a catch. `interpose!` defines cancellation points: its frame has no destructor, and calls libc
//! outside of any catch.
//!
//! Keeps true: a call that does not concern us costs a load or two, and goes to libc unchanged. Our own work is
//! `guarded`, inside `thread::context`; no lock is taken elsewhere.

mod busy_poll;
mod close_dup;
mod epoll;
mod eventfd_timerfd;
pub mod exec_spawn;
mod fcntl_ioctl;
pub mod fork_clone;
mod io_uring;
mod left;
mod limits;
mod messages;
mod mqueue;
mod poll_select;
mod polling;
mod prctl;
mod pthread_cancel;
mod read_write;
mod sigaction;
pub mod sigmask;
mod socket_pipe;
mod splice;
mod syscall;

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::process::options::complain;
use crate::thread::context;

/// Defines a libc function that is, or may lead to, a cancellation point.
///
/// In the body `real()` is libc's function, looked up on first use.
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
            static REAL: $crate::interpose::Real = $crate::interpose::Real::new(concat!(stringify!($name), "\0"));
            // SAFETY: the symbol of that name has this type.
            let $real = || unsafe { std::mem::transmute::<*const u8, Function>(REAL.get()) };
            $body
        }
    };
}

/// Defines a libc function that is no cancellation point, and `$hook`, which other hooks call.
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
                static REAL: $crate::interpose::Real = $crate::interpose::Real::new(concat!(stringify!($name), "\0"));
                // SAFETY: the symbol of that name has this type.
                unsafe { std::mem::transmute::<*const u8, unsafe extern "C-unwind" fn($($type),*) -> $ret>(REAL.get()) }
            }

            #[no_mangle]
            pub unsafe extern "C-unwind" fn $name($($arg: $type),*) -> $ret {
                // SAFETY: the program's own call.
                match $crate::interpose::guarded(None, || Some(unsafe { $hook($($arg),*) })) {
                    Some(result) => result,
                    // SAFETY: as above.
                    None => unsafe { $name.get()($($arg),*) },
                }
            }
        }

        pub unsafe fn $hook($($arg: $type),*) -> $ret $body
    };
}

/// Calls libc's function behind a `hook!`.
#[macro_export]
macro_rules! real_call {
    ($name:ident ( $($arg:expr),* )) => {{
        // SAFETY: libc's own function of that name, with what the program called us with.
        #[allow(unused_unsafe, clippy::macro_metavars_in_unsafe)]
        unsafe { $name.get()($($arg),*) }
    }};
}

/// A libc symbol, looked up once.
pub struct Real {
    name: &'static str,
    address: std::sync::atomic::AtomicPtr<u8>,
}

impl Real {
    /// `name` ends with a NUL.
    pub const fn new(name: &'static str) -> Self {
        Self { name, address: std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()) }
    }

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

/// Looks up what children call. Each child would take a page fault for every page of the loader's tables. At start-up,
/// because at a fork another thread may hold the loader's lock.
pub fn look_up_for_children() {
    extern "C" {
        // The linker defines these: the bounds of the section.
        static __start_glasspoll_real: u8;
        static __stop_glasspoll_real: u8;
    }
    let [start, stop] =
        [&raw const __start_glasspoll_real, &raw const __stop_glasspoll_real].map(<*const u8>::cast::<Real>);
    // SAFETY: in the section there are statics of this type alone.
    let all = unsafe { std::slice::from_raw_parts(start, stop.offset_from_unsigned(start)) };
    for real in all.iter().filter(|real| OF_CHILDREN.contains(&real.name.trim_end_matches('\0'))) {
        real.get();
    }
}

/// Runs our own work, covered: no handler of the program runs meanwhile, and cancellation waits. If the work
/// panics, returns `fallback`, and the panic does not reach the program.
///
/// Not inlined, so that the callers' frames have nothing to clean up.
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

/// Makes a panic print one line, whatever RUST_BACKTRACE says.
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

pub fn set_errno(errno: syscalls::Errno) {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() = errno.into_raw() };
}

pub fn errno() -> i32 {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

/// A result in libc's form: -1 and errno on failure.
pub fn answer(result: Result<i32, syscalls::Errno>) -> i32 {
    result.unwrap_or_else(|errno| {
        set_errno(errno);
        -1
    })
}
