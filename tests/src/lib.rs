//! Runs real programs twice: on the kernel's epoll and with glasspoll preloaded.
//!
//! A test in `tests/` is a closure over a [`Mode`]; [`in_both_modes`] runs it
//! natively first, which shows that the test itself is right, then preloaded.
//! Servers live in a temporary directory, listen on a free port and are killed
//! when dropped; programs that run to an end have a time limit, so that a hang
//! is a failure and not a stuck test run.
//!
//! | file | holds |
//! |---|---|
//! | [`mode`] | native or preloaded, and where the library is |
//! | [`program`] | finding programs, and what to do when one is missing |
//! | [`run`] | running a program to its end within a time limit |
//! | [`server`] | a server from start to stop |
//! | [`port`] | free TCP ports |
//! | [`processes`] | the processes of a server, and what epolls they hold |
//! | [`redis`], [`nginx`], [`postgres`] | how these are started, driven and judged |
//! | [`script`] | scripts of python and node |
//! | [`cpython`] | CPython's own test suites |
//! | [`curl`] | many downloads at a time |
//! | [`strace`] | counting system calls |
//! | [`lockstep`] | a server and its client that take turns, and what the server calls meanwhile |
//! | [`syscall_names`] | the names of system calls |
//! | [`seccomp`] | a process in which epoll and io_uring are deadly |
//! | [`chromium`], [`screen`] | a browser, and a terminal |
//! | [`command`] | the command `glasspoll`, and what it prints |
//! | [`synthetic`] | a record of any size, that nobody recorded |
//! | [`flow`] | reading the event-flow log |
//! | [`documents`] | the project's documents, and the sources they speak of |
//! | [`turn`] | one heavy test at a time |
//! | [`walk`] | the differential fuzzer |
//! | [`storm`] | the threaded walker |
//! | `faults` | having the library's system calls fail |
//! | [`random`] | seeded random numbers |
//! | [`bench`] | speed beside the kernel's epoll |
//!
//! `GLASSPOLL_TESTS=native` or `=preloaded` limits such tests to one mode; the few
//! that only make sense preloaded run anyway.

pub mod bench;
pub mod chromium;
pub mod command;
pub mod cpython;
pub mod curl;
pub mod documents;
#[cfg(target_arch = "x86_64")]
pub mod faults;
pub mod flow;
pub mod lockstep;
pub mod mode;
pub mod nginx;
pub mod port;
pub mod postgres;
pub mod processes;
pub mod program;
pub mod random;
pub mod redis;
pub mod run;
pub mod screen;
pub mod script;
pub mod seccomp;
pub mod server;
pub mod soak;
pub mod storm;
pub mod strace;
pub mod synthetic;
pub mod syscall_names;
pub mod turn;
pub mod walk;

pub use mode::{alike_in_both_modes, in_both_modes, Mode};
pub use run::{run, Output, LIMIT};
pub use server::Server;
