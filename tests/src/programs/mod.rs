//! Running a program on either epoll.

pub mod mode;
pub mod program;
pub mod run;
pub mod seccomp;
pub mod strace;
pub mod turn;
