//! Runs real programs twice: on the kernel's epoll and with glasspoll preloaded.
//!
//! A test in `tests/` is a closure over a [`Mode`]; [`in_both_modes`] runs it
//! natively first, which shows that the test itself is right, then preloaded.
//! Servers live in a temporary directory, listen on a free port and are killed
//! when dropped; programs that run to an end have a time limit, so that a hang
//! is a failure and not a stuck test run.
//!
//! | folder | holds |
//! |---|---|
//! | [`programs`] | [`mode`]: native or preloaded, and where the library is; [`program`]: finding programs, and what to do when one is missing; [`run`](mod@run): running one within a time limit; [`strace`]: counting system calls, by their [`syscall_names`]; [`lockstep`]: a server and its client that take turns, and what the server calls meanwhile; [`seccomp`]: a process in which epoll and io_uring are deadly; [`turn`]: one heavy test at a time |
//! | [`servers`] | [`server`]: from start to stop; [`port`]: free TCP ports; [`processes`]: those of a server, and what epolls they hold; [`redis`], [`nginx`], [`postgres`]: how these are started, driven and judged |
//! | [`languages`] | [`script`]: scripts of python and node; [`cpython`]: CPython's own test suites; [`curl`]: many downloads at a time |
//! | [`views`] | [`command`]: the command `glasspoll`, and what it prints; [`findings`]: those of its doctor; [`attach`]: a program that it attaches to; [`flow`]: reading the event-flow log; [`chromium`], [`screen`]: a browser, and a terminal; [`synthetic`]: a record of any size, without a program |
//! | [`documents`] | the project's documents, and the sources they speak of |
//! | [`c_tests`] | the programs of `c-tests`, and their runner |
//! | [`walk`] | the differential fuzzer |
//! | [`storm`] | the threaded walker |
//! | [`soak`] | servers under load for hours |
//! | `faults` | makes the library's system calls fail |
//! | [`mutants`] | mutation testing of the reactor |
//! | [`random`] | seeded random numbers |
//! | [`bench`] | speed compared with the kernel's epoll |
//!
//! `GLASSPOLL_TESTS=native` or `=preloaded` limits such tests to one mode; the few that only make sense preloaded run
//! in any case.

pub mod bench;
pub mod c_tests;
pub mod documents;
#[cfg(target_arch = "x86_64")]
pub mod faults;
pub mod languages;
pub mod mutants;
pub mod programs;
pub mod random;
pub mod servers;
pub mod soak;
pub mod storm;
pub mod views;
pub mod walk;

// A test names these modules without the folder.
pub use languages::{cpython, curl, script};
pub use programs::{lockstep, mode, program, run, seccomp, strace, syscall_names, turn};
pub use servers::{nginx, port, postgres, processes, redis, server};
pub use views::{attach, chromium, command, findings, flow, screen, synthetic};

pub use mode::{alike_in_both_modes, in_both_modes, Mode};
pub use run::{run, Output, LIMIT};
pub use server::Server;
