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
//! | `arch` | that code, and the registers |
//! | `errand` | what the thread is to do |
//! | `visit`, `tracer` | having it done |
//! | `library` | the library there, and how it gets there |
//! | `look` | attached for as long as a command looks |
//! | `refusal` | why not |
//! | `fault` | for tests: the death of the command at any step |
//!
//! What holds whenever the command dies: the target lives, and its threads do what they did. See `visit`.

mod arch;
mod errand;
mod fault;
mod library;
mod look;
mod maps;
mod memory;
mod object;
mod refusal;
mod room;
mod seccomp;
mod target;
mod threads;
mod tracer;
mod visit;

use std::time::{Duration, Instant};

use errand::Errand;
use library::Library;
pub use look::Look;
pub use refusal::Refusal;
use room::Room;
use target::Target;
use visit::{visit, BOUND};

/// The functions of the library.
const ATTACH: &str = "glasspoll_attach";
const DETACH: &str = "glasspoll_detach";

/// How to attach.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Words for the library, such as `ring=4M`.
    pub words: Vec<String>,
    /// Attach although a seccomp filter cannot be read.
    pub force: bool,
    /// Say on stderr what is done, and how long the thread stood.
    pub verbose: bool,
}

/// A process that the library observes because we attached to it. Dropped, it is detached from.
#[derive(Debug)]
pub struct Attached {
    pid: u32,
    options: Options,
    /// How many slots lead to the library; None: the process was attached to before.
    pub slots: Option<u32>,
    stays: bool,
}

/// Attaches to a process.
pub fn attach(pid: u32, options: &Options) -> Result<Attached, Refusal> {
    let until = Instant::now() + BOUND;
    let library = Library::find()?;
    let target = Target::look(pid, options.force)?;
    target.check_glibc(library.file())?;
    let room = Room::find(&target)?;
    let words = options.words.join(";");
    let visited = match library.function_in(&target, ATTACH) {
        Some(function) => visit(&target, room, &Errand::Call { function, argument: words }, until),
        None => library.load(&target, room, (ATTACH, &words), until),
    }?;
    options.say(pid, "attached", visited.stopped);
    let slots = match visited.value {
        1.. => Some(visited.value as u32),
        0 => return Err(Refusal::NothingToPatch),
        refused => match -refused as i32 {
            libc::EALREADY => None,
            libc::EBUSY => return Err(Refusal::Preloaded),
            libc::ENOSYS => return Err(Refusal::NothingToPatch),
            errno => return Err(Refusal::Library(errno)),
        },
    };
    Ok(Attached { pid, options: options.clone(), slots, stays: false })
}

/// Takes the library's hooks out of a process; returns how many slots are as before.
pub fn detach(pid: u32, options: &Options) -> Result<u32, Refusal> {
    let until = Instant::now() + BOUND;
    let library = Library::find()?;
    let target = Target::look(pid, options.force)?;
    let function = library.function_in(&target, DETACH).ok_or(Refusal::NotAttached)?;
    let room = Room::find(&target)?;
    let visited = visit(&target, room, &Errand::Call { function, argument: String::new() }, until)?;
    options.say(pid, "detached", visited.stopped);
    match visited.value {
        0.. => Ok(visited.value as u32),
        refused if -refused as i32 == libc::ENOTCONN => Err(Refusal::NotAttached),
        refused => Err(Refusal::Library(-refused as i32)),
    }
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
    /// Leaves the library's hooks in the process.
    pub fn stay(mut self) {
        self.stays = true;
    }

    /// Takes them out.
    pub fn detach(mut self) -> Result<u32, Refusal> {
        self.stays = true;
        detach(self.pid, &self.options)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if !self.stays {
            // A process that has ended needs no detaching.
            let _ = detach(self.pid, &self.options);
        }
    }
}
