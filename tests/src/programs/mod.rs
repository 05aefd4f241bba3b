//! Runs a program on either epoll.

pub mod lockstep;
pub mod mode;
pub mod program;
pub mod run;
pub mod seccomp;
pub mod strace;
pub mod syscall_names;
pub mod turn;
