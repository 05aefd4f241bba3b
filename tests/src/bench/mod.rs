//! The speed of glasspoll compared with the kernel's epoll: what `scripts/bench` runs.
//!
//! | file | holds |
//! |---|---|
//! | [`rows`] | the table: what is measured, and the bar for each figure |
//! | [`observe`] | its rows of the kernel's epoll, observed |
//! | [`rate`], [`waiters`] | its rows at a fixed rate; of many threads on one set |
//! | [`figure`] | a figure, and how it is judged |
//! | [`work`] | one measurement of a row, on a fresh server |
//! | [`rounds`] | kernel and glasspoll in turn |
//! | [`record`] | what the command costs, and how exact the record is |
//! | [`report`], [`chart`] | the results: a Markdown table, a picture |
//! | [`quiet`] | waiting until no other process uses the machine |
//! | [`machine`] | the machine that measured |
//! | [`system`] | CPUs, descriptors, the CPU time and memory of other processes |
//! | [`echo`], [`load`], [`paced`], [`calls`], [`forks`] | the programs: a server, a load generator, the same at a fixed rate, single calls, children |
//! | [`net`] | connections |

pub mod calls;
pub mod chart;
pub mod echo;
pub mod figure;
pub mod forks;
pub mod load;
pub mod machine;
pub mod net;
pub mod observe;
mod paced;
pub mod quiet;
pub mod rate;
pub mod record;
pub mod report;
pub mod rounds;
pub mod rows;
mod stacks;
pub mod system;
pub mod waiters;
pub mod work;
