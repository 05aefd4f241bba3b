//! Attaching and detaching, step by step.

use std::time::Instant;

use super::errand::Errand;
use super::library::Library;
use super::refusal::Refusal;
use super::room::Room;
use super::target::Target;
use super::visit::{visit, BOUND};
use super::{Attached, Options};

/// The functions of the library.
const ATTACH: &str = "glasspoll_attach";
const DETACH: &str = "glasspoll_detach";

/// Attaches to a process.
pub fn attach(pid: u32, options: &Options) -> Result<Attached, Refusal> {
    let until = Instant::now() + BOUND;
    let library = Library::find()?;
    let target = Target::look(pid, options.force)?;
    target.check_glibc(library.file())?;
    let room = Room::find(&target)?;
    let words = options.words.join(";");
    let visited = match library.function_in(&target, ATTACH) {
        Some(function) => {
            // A command that was killed may have left it.
            library.close_left(&target, room, until)?;
            visit(&target, room, &Errand::Call { function, argument: words }, until)
        }
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
            libc::ENOSPC => {
                let why = "a limit leaves no room for its record: on the size of files, on descriptors, or on memory";
                return Err(Refusal::Trouble(why.into()));
            }
            libc::EAGAIN => return Err(Refusal::Trouble(BUSY.into())),
            errno => return Err(Refusal::Library(errno)),
        },
    };
    Ok(Attached { pid, options: options.clone(), slots, stays: false })
}

/// Why the library cannot come or go just now.
const BUSY: &str = "it forks, or a thread of it is in a call of the library: try again";

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
        refused if -refused as i32 == libc::EAGAIN => Err(Refusal::Trouble(BUSY.into())),
        refused => Err(Refusal::Library(-refused as i32)),
    }
}
