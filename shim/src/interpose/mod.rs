//! The libc functions that we interpose: a file for each man page or family. Here: the two macros that
//! define ours. `real` finds libc's own behind them, `routes` says which raw system calls go to them.
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
mod dlclose;
mod epoll;
mod eventfd_timerfd;
pub mod exec_spawn;
mod fcntl_ioctl;
pub mod fork_clone;
mod io_uring;
mod left;
mod limits;
mod longjmp;
mod messages;
mod mmap;
mod mqueue;
mod poll_select;
mod polling;
mod prctl;
mod pthread_cancel;
mod raw_epoll;
mod read_write;
pub mod real;
mod routes;
mod setsockopt;
mod sigaction;
pub mod sigmask;
mod sleeping;
mod socket_pipe;
mod splice;
mod stand_in;
mod syscall;

pub use crate::errno::{answer, errno, set_errno};
pub use crate::thread::guarded::guarded;
pub use real::Real;

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
