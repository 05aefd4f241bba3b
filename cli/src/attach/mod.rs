//! Attaching: loads the library into a process that runs, by ptrace(2) and the target's own dlopen, has it point the
//! program's calls to itself, and takes all that out again.
//!
//! | module | holds |
//! |---|---|
//! | `target` | what /proc says of the process, and the refusals that follow from it |
//! | `maps`, `object`, `memory` | its mappings, the ELF objects in them, and how they are read |
//! | `seccomp` | what its filter forbids |
//! | `threads` | which thread is asked |
//! | `room` | where our code lies in the target |
//! | `here` | attaching and detaching, step by step |
//! | `arch` | that code, and the registers |
//! | `errand` | what the thread is to do |
//! | `cancel` | pthread_cancel of the thread meanwhile |
//! | `timeout` | what is left of the timeout of a wait that is interrupted |
//! | `visit`, `tracer` | having it done |
//! | `library` | the library there, and how it gets there |
//! | `descriptors` | a process that has none left |
//! | `look`, `presence` | attached for as long as a command looks, or several |
//! | `refusal` | why not |
//! | `fault` | for tests: the death of the command at any step |
//!
//! The code is written for x86-64. Elsewhere attaching is refused (`elsewhere`).
//!
//! What holds whenever the command dies: the target lives, and its threads do what they did. See `visit`.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

#[cfg(target_arch = "x86_64")]
mod arch;
#[cfg(target_arch = "x86_64")]
mod cancel;
#[cfg(target_arch = "x86_64")]
mod descriptors;
#[cfg(not(target_arch = "x86_64"))]
mod elsewhere;
#[cfg(target_arch = "x86_64")]
mod errand;
mod fault;
#[cfg(target_arch = "x86_64")]
mod here;
#[cfg(target_arch = "x86_64")]
mod library;
mod look;
pub mod maps;
pub mod memory;
pub mod object;
#[cfg(target_arch = "x86_64")]
mod presence;
mod refusal;
#[cfg(target_arch = "x86_64")]
mod room;
pub mod seccomp;
pub mod target;
pub mod threads;
#[cfg(target_arch = "x86_64")]
mod timeout;
#[cfg(target_arch = "x86_64")]
pub mod tracer;
#[cfg(target_arch = "x86_64")]
mod visit;

use std::time::Duration;

#[cfg(not(target_arch = "x86_64"))]
pub use elsewhere::{attach, detach, end_look};
#[cfg(target_arch = "x86_64")]
pub use here::{attach, detach, end_look};
pub use look::Look;
pub use refusal::Refusal;

/// How to attach.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Words for the library, such as `ring=4M`.
    pub words: Vec<String>,
    /// Attach although a seccomp filter cannot be read.
    pub force: bool,
    /// Say on stderr what is done, and how long the thread stood.
    pub verbose: bool,
    /// For as long as this command looks; else to stay.
    pub is_look: bool,
}

/// A process that the library observes because we attached to it. Dropped, it is detached from.
#[derive(Debug)]
pub struct Attached {
    pid: u32,
    options: Options,
    /// How many slots lead to the library; None: the process was attached to before.
    pub slots: Option<u32>,
    /// It is not detached from when this is dropped.
    pub stays: bool,
    #[cfg(target_arch = "x86_64")]
    presence: Option<presence::Presence>,
}

impl Options {
    fn say(&self, pid: u32, what: &str, stopped: Duration) {
        if self.verbose {
            eprintln!(
                "glasspoll: process {pid}: {what}: a thread stood for {:.3} ms",
                stopped.as_secs_f64() * 1e3
            );
        }
    }
}

impl Attached {
    /// How it was attached to.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Leaves the library's hooks in the process.
    pub fn stay(mut self) {
        self.stays = true;
    }

    /// Takes them out.
    pub fn detach(mut self) -> Result<u32, Refusal> {
        self.end()
    }

    fn end(&mut self) -> Result<u32, Refusal> {
        let done = std::mem::replace(&mut self.stays, true);
        #[cfg(target_arch = "x86_64")]
        let mine = self.presence.take();
        #[cfg(not(target_arch = "x86_64"))]
        let mine = ();
        if done {
            return Ok(0);
        }
        end_look(self.pid, &self.options, move || {
            let _ended = mine;
        })
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A process that has ended needs no detaching.
        let _ = self.end();
    }
}
