//! The programs that run with faults: epoll must report the same to them as without.
//!
//! Each prints "done" and ends with 0, or prints what went wrong (`os`). They wait without a timeout where that shows a
//! lost wakeup best; then the runner ends them.

mod limits;
mod one_loop;
mod os;
mod processes;
mod signals;
mod threads;

pub use os::REFUSED;

/// All scenarios, by name.
pub const ALL: &[(&str, fn())] = &[
    ("loop", one_loop::run),
    ("nested", one_loop::nested),
    ("threads", threads::run),
    ("pollers", threads::pollers),
    ("latecomer", threads::latecomer),
    ("leaver", threads::leaver),
    ("fork", processes::fork),
    ("exec", processes::exec),
    ("inherited", processes::inherited),
    ("signals", signals::run),
];

/// The scenarios that use something up themselves.
const AT_LIMITS: &[(&str, fn())] =
    &[("full", limits::full), ("memory", limits::memory), ("many", limits::many), ("herd", limits::herd)];

/// Runs one. False: no scenario has that name.
pub fn run(name: &str) -> bool {
    let Some((_, scenario)) = ALL.iter().chain(AT_LIMITS).find(|(other, _)| *other == name) else {
        return false;
    };
    // Most programs have the default action; Rust's runtime ignores the signal.
    // SAFETY: a signal's default.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    scenario();
    println!("done");
    true
}
