//! Attaching and detaching, step by step.

use std::time::Instant;

use super::errand::Errand;
use super::library::Library;
use super::presence::{self, Presence, Turn};
use super::refusal::Refusal;
use super::room::Room;
use super::target::Target;
use super::visit::{visit, BOUND};
use super::{Attached, Options};

/// The functions of the library.
const ATTACH: &str = "glasspoll_attach";
const DETACH: &str = "glasspoll_detach";
const END_LOOK: &str = "glasspoll_end_look";

/// Attaches to a process.
pub fn attach(pid: u32, options: &Options) -> Result<Attached, Refusal> {
    let library = Library::find()?;
    let _turn = Turn::of(pid);
    let target = Target::look(pid, options.force)?;
    target.check_glibc(library.file())?;
    let room = Room::find(&target)?;
    let presence = if options.is_look { Presence::begin(pid) } else { None };
    let look = options.is_look.then(|| "look=yes".to_owned());
    let until = Instant::now() + BOUND;
    let words = options.words.iter().cloned().chain(look).collect::<Vec<_>>().join(";");
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
            libc::EALREADY | libc::EISCONN => None,
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
    let stays = visited.value == -i64::from(libc::EISCONN);
    Ok(Attached { pid, options: options.clone(), slots, stays, presence })
}

/// Why the library cannot come or go just now.
const BUSY: &str = "it forks, or a thread of it is in a call of the library: try again";

/// Takes the library's hooks out of a process; returns how many slots are as before.
pub fn detach(pid: u32, options: &Options) -> Result<u32, Refusal> {
    take_out(pid, options, DETACH, || {})
}

/// The same, unless the process is to stay attached to, or another command looks at it. `leave`: from then on this one
/// does not.
pub fn end_look(pid: u32, options: &Options, leave: impl FnOnce()) -> Result<u32, Refusal> {
    match take_out(pid, options, END_LOOK, leave) {
        Err(Refusal::Library(libc::EISCONN)) => Ok(0),
        done => done,
    }
}

fn take_out(pid: u32, options: &Options, name: &str, leave: impl FnOnce()) -> Result<u32, Refusal> {
    // It may end while we are at it, and then any step may fail.
    ask_to_detach(pid, options, name, leave).map_err(|refusal| refusal.or_ended(pid))
}

fn ask_to_detach(pid: u32, options: &Options, name: &str, leave: impl FnOnce()) -> Result<u32, Refusal> {
    let library = Library::find()?;
    let _turn = Turn::of(pid);
    leave();
    if name == END_LOOK && presence::is_looked_at(pid) {
        return Ok(0);
    }
    let target = Target::look(pid, options.force)?;
    let until = Instant::now() + BOUND;
    // An earlier library has no look that ends.
    let find = |name| library.function_in(&target, name);
    let function = find(name).or_else(|| find(DETACH)).ok_or(Refusal::NotAttached)?;
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
