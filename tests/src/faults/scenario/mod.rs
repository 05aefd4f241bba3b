//! The programs that run with faults: epoll must tell them the same as without.
//!
//! Each ends with 0 and says "done", or with what went wrong (`os`). They wait without end where that would show a
//! lost wakeup best; the runner ends them then.

mod limits;
mod one_loop;
mod os;
mod processes;
mod signals;
mod threads;

pub use os::REFUSED;

/// All of them, by name.
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

/// Those that bring about a shortage themselves.
const AT_LIMITS: &[(&str, fn())] =
    &[("full", limits::full), ("memory", limits::memory), ("many", limits::many), ("herd", limits::herd)];

/// Runs one. False: there is none of that name.
pub fn run(name: &str) -> bool {
    let Some((_, scenario)) = ALL.iter().chain(AT_LIMITS).find(|(other, _)| *other == name) else {
        return false;
    };
    // As most programs have it, but those in Rust.
    // SAFETY: a signal's default.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    scenario();
    println!("done");
    true
}
