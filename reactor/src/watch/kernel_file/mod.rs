//! A file of the kernel's as a `Device`.
//!
//! | source | for | wakeups by |
//! |---|---|---|
//! | `Signal` | files of this process alone that keep O_ASYNC | signals; a poller entry for what signals leave out (`Gaps`) |
//! | `Poll` | everything else | the poller |
//!
//! A file is armed with its first item and stays armed until its last item or descriptor goes.
//!
//! `device` is what the eventpoll calls; `source` and `arming` are how the file's wakeups come. `kind` is what
//! kinds of files differ in, and `known_kind` the kind of this file; `news` are files that report a change only
//! once. `program_io` is what the program does with the file, `unread` how much there is to read, `refusal`
//! which calls may fail with EAGAIN.

mod arming;
mod device;
pub(super) mod kind;
mod known_kind;
mod news;
mod program_io;
mod refusal;
mod source;
pub(super) mod unread;
