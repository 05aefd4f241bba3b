//! exec and spawn.
//!
//! Before an exec we disarm every file that would signal the new program, and unblock our signal. If the exec fails,
//! we undo both. A child that shares its parent's memory (vfork, posix_spawn) changes only its own mask.

use std::mem::MaybeUninit;

use glasspoll_reactor::sys::{self, Errno};
use glasspoll_record::event::{Call, Event};
use libc::{c_char, c_int, c_short, pid_t, posix_spawn_file_actions_t, posix_spawnattr_t, sigset_t};

use crate::arch::exec_trampoline;
use crate::fdtable::{self, Inheritor};
use crate::interpose::fork_clone::share;
use crate::interpose::{errno, guarded, set_errno};
use crate::process::{self, record};
use crate::thread::context;
use crate::thread::signal::{ours, trampoline};
use crate::thread::with_thread;

/// The state of a process during exec: no armed file signals the new program, and our signal is not blocked in it.
/// The other threads stay outside, so that none arms a file meanwhile.
/// The drop undoes it, because it runs only after a failed exec.
struct Leaving {
    /// False in a child that shares its parent's memory: such a child changes only its own mask.
    alone: bool,
    unblocked: bool,
}

impl Leaving {
    fn new() -> Option<Self> {
        // An early child has not adopted the armed files. They are its parent's.
        let alone =
            process::WATCH.get().is_some() && !process::is_vfork_child() && !context::is_early_child();
        if alone {
            record::note(Event::Exec);
        }
        if !ours::is_used() {
            return None;
        }
        if alone {
            context::be_known();
            context::fork_begins();
            if let Some(watch) = process::WATCH.get() {
                watch.before_exec();
            }
        }
        trampoline::before_exec();
        let unblocked = !with_thread(|thread| thread.blocks_ours.get());
        if alone {
            // A signal that was held back must not stay blocked in the new program.
            context::step_out();
        }
        Some(Self { alone, unblocked })
    }

    /// Sets the new program's mask, or takes it back. Runs uncovered: `uncover` would restore another mask.
    fn change_mask(&self, how: c_int) {
        if self.unblocked {
            sys::sigprocmask(how, ours::mask());
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if self.alone {
            context::step_in();
            if let Some(watch) = process::WATCH.get() {
                trampoline::install();
                watch.exec_failed();
            }
            context::fork_done();
            context::go_outside_after_fork();
        }
    }
}

macro_rules! start_programs {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $ret:ty;)*) => {
        $(crate::interpose! {
            /// A function in which libc itself starts another program. If the thread is cancelled in it, the inheritor
            /// counts as under way for ever: later eventfds without close-on-exec are then watched as shared files.
            fn $name($($arg: $type),*) -> $ret |real| {
                fdtable::inheritor_begins(Inheritor::Program);
                share(fdtable::share_kept_counters);
                let timed = record::time();
                // SAFETY: libc's own function; no destructor in this frame.
                let result = unsafe { real()($($arg),*) };
                timed.end(Call::Command, -1, 0);
                fdtable::inheritor_made(Inheritor::Program);
                result
            }
        })*
    };
}

start_programs! {
    fn system(command: *const c_char) -> c_int;
    fn popen(command: *const c_char, mode: *const c_char) -> *mut libc::FILE;
    fn wordexp(words: *const c_char, into: *mut libc::c_void, flags: c_int) -> c_int;
}

type Strings = *const *const c_char;

macro_rules! exec {
    ($(fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        $(crate::interpose! {
            /// execve(2) or one of its kin.
            fn $name($($arg: $type),*) -> c_int |real| {
                let leaving = guarded(None, Leaving::new);
                leaving.iter().for_each(|leaving| leaving.change_mask(libc::SIG_UNBLOCK));
                // SAFETY: libc's own function.
                let result = unsafe { real()($($arg),*) };
                let errno = errno();
                leaving.iter().for_each(|leaving| leaving.change_mask(libc::SIG_BLOCK));
                guarded((), || drop(leaving));
                set_errno(Errno::new(errno));
                result
            }
        })*
    };
}

exec! {
    fn execve(path: *const c_char, argv: Strings, envp: Strings);
    fn execv(path: *const c_char, argv: Strings);
    fn execvp(file: *const c_char, argv: Strings);
    fn execvpe(file: *const c_char, argv: Strings, envp: Strings);
    fn fexecve(fd: c_int, argv: Strings, envp: Strings);
    fn execveat(dir: c_int, path: *const c_char, argv: Strings, envp: Strings, flags: c_int);
}

/// The functions that take a list; their trampolines pass these numbers.
const EXECLP: usize = 1;
const EXECLE: usize = 2;

/// Collects the arguments of a variadic call: first those in registers, then those on the stack, up to a null.
pub(crate) unsafe extern "C" fn exec_list(which: usize, registers: Strings, stack: Strings) -> c_int {
    const IN_REGISTERS: usize = crate::arch::ARGUMENT_REGISTERS;
    // SAFETY: the trampoline's saved registers and its caller's stack; the list ends with a null.
    let at = |n: usize| unsafe {
        if n < IN_REGISTERS {
            *registers.add(n)
        } else {
            *stack.add(n - IN_REGISTERS)
        }
    };
    let count = (1..).find(|n| at(*n).is_null()).unwrap_or(1);
    let environment = if which == EXECLE { at(count + 1).cast() } else { std::ptr::null() };
    match count {
        0..64 => exec_copy::<64>(which, at, count, environment),
        64..512 => exec_copy::<512>(which, at, count, environment),
        512..4096 => exec_copy::<4096>(which, at, count, environment),
        _ => {
            set_errno(Errno::E2BIG);
            -1
        }
    }
}

/// Builds the list on the stack, as glibc does: it needs no allocator, and only the stack that the list takes.
#[inline(never)]
fn exec_copy<const ROOM: usize>(
    which: usize,
    at: impl Fn(usize) -> *const c_char,
    count: usize,
    environment: Strings,
) -> c_int {
    let mut argv = [std::ptr::null(); ROOM];
    for n in 1..count {
        argv[n - 1] = at(n);
    }
    // SAFETY: as execve(2) and its kin; the list ends with a null.
    unsafe {
        match which {
            EXECLP => execvp(at(0), argv.as_ptr()),
            EXECLE => execve(at(0), argv.as_ptr(), environment),
            _ => execv(at(0), argv.as_ptr()),
        }
    }
}

exec_trampoline!(execl, exec_list, 0);
exec_trampoline!(execlp, exec_list, 1);
exec_trampoline!(execle, exec_list, 2);

/// Attributes that leave our signal unblocked in the spawned program.
unsafe fn clean_attributes(
    given: *const posix_spawnattr_t,
    room: &mut MaybeUninit<posix_spawnattr_t>,
) -> *const posix_spawnattr_t {
    if !ours::is_used() || with_thread(|thread| thread.blocks_ours.get()) {
        return given;
    }
    let attributes = room.as_mut_ptr();
    // SAFETY: `given` is the program's, by the contract of posix_spawn; a copy of it holds no
    // resource and needs no destruction.
    unsafe {
        if given.is_null() {
            libc::posix_spawnattr_init(attributes);
        } else {
            std::ptr::copy_nonoverlapping(given, attributes, 1);
        }
        let mut flags: c_short = 0;
        libc::posix_spawnattr_getflags(attributes, &mut flags);
        let mut mask = MaybeUninit::<sigset_t>::zeroed();
        if flags & libc::POSIX_SPAWN_SETSIGMASK as c_short != 0 {
            libc::posix_spawnattr_getsigmask(attributes, mask.as_mut_ptr());
        } else {
            *mask.as_mut_ptr().cast::<u64>() = sys::sigmask() & !ours::mask();
        }
        libc::posix_spawnattr_setsigmask(attributes, mask.as_ptr());
        libc::posix_spawnattr_setflags(attributes, flags | libc::POSIX_SPAWN_SETSIGMASK as c_short);
    }
    attributes
}

macro_rules! spawn {
    ($name:ident) => {
        crate::interpose! {
            /// posix_spawn(3) or its kin.
            fn $name(
                pid: *mut pid_t,
                path: *const c_char,
                actions: *const posix_spawn_file_actions_t,
                attributes: *const posix_spawnattr_t,
                argv: *const *mut c_char,
                envp: *const *mut c_char
            ) -> c_int |real| {
                let mut room = MaybeUninit::uninit();
                // SAFETY: the program's attributes, by the contract of the call.
                let attributes = unsafe { clean_attributes(attributes, &mut room) };
                fdtable::inheritor_begins(Inheritor::Program);
                share(fdtable::share_kept_counters);
                // SAFETY: libc's own function; no destructor in this frame.
                let failed = unsafe { real()(pid, path, actions, attributes, argv, envp) };
                fdtable::inheritor_made(Inheritor::Program);
                failed
            }
        }
    };
}

spawn!(posix_spawn);
spawn!(posix_spawnp);
// pidfd_spawn (glibc 2.39) is not interposed: a program that looks up the name would find ours where libc has none.

crate::interpose! {
    /// posix_spawn_file_actions_adddup2(3): the new program gets a copy of `fd`, even one with close-on-exec.
    fn posix_spawn_file_actions_adddup2(
        actions: *mut posix_spawn_file_actions_t,
        fd: c_int,
        copy: c_int
    ) -> c_int |real| {
        fdtable::will_be_copied(fd);
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(actions, fd, copy) }
    }
}
