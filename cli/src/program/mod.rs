//! Starting a program on the library: where that is (`library`), whether ld.so will take it (`preloadable`, `elf`), and
//! whose epoll answers the program (`engine`).

pub mod elf;
pub mod engine;
pub mod library;
pub mod preloadable;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};

use crate::args::Settings;
use crate::sys;
use crate::sys::signals::{self, Signals};
use crate::TROUBLE;

/// Signals that are meant for the program and are sent to us in its place.
const PASSED_ON: [i32; 7] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH];

/// The variable that says whether call stacks are kept.
pub const STACKS: &str = "GLASSPOLL_STACKS";

/// The variable that has the specification of chaos.
pub const CHAOS: &str = "GLASSPOLL_CHAOS";

/// Signals that end a program.
pub const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// Why a program was not started.
#[derive(Debug)]
pub struct Refused {
    /// In words.
    pub what: String,
    /// The exit status: 127 if it does not exist, 126 if it cannot be run, 125 for an error of our own.
    pub status: u8,
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Self { what, status: TROUBLE }
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.what
    }
}

/// The command that runs a program without the library.
pub fn bare_command(program: &[OsString]) -> Result<Command, Refused> {
    let (name, arguments) = program.split_first().ok_or_else(|| "no program is given".to_owned())?;
    let mut command = Command::new(name);
    command.args(arguments);
    Ok(command)
}

/// The command that runs a program on the library. `default_ring` is the size of the record unless the settings or the
/// environment have one.
pub fn command(
    program: &[OsString],
    settings: &Settings,
    default_ring: Option<&str>,
) -> Result<Command, Refused> {
    let name = program.first().ok_or_else(|| "no program is given".to_owned())?;
    let library = library::find()?;
    if let Some(why) = preloadable::loader_refuses(name, &library) {
        return Err(format!("{} cannot run on it: {why}", Path::new(name).display()).into());
    }
    let mut preload = library.into_os_string();
    if let Some(others) = env::var_os("LD_PRELOAD").filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    let mut command = bare_command(program)?;
    command.env("LD_PRELOAD", preload);
    let said = env::var_os("GLASSPOLL_RING").filter(|ring| ring != "off" && !ring.is_empty());
    match (&settings.ring, default_ring) {
        (Some(ring), _) => drop(command.env("GLASSPOLL_RING", ring)),
        (None, Some(ring)) if said.is_none() => drop(command.env("GLASSPOLL_RING", ring)),
        _ => {}
    }
    if let Some(engine) = engine::value(settings) {
        command.env(engine::VARIABLE, engine);
    }
    if let Some(stacks) = settings.stacks() {
        command.env(STACKS, stacks);
    }
    if settings.exact {
        command.env("GLASSPOLL_READY", "exact");
    }
    if let Some(chaos) = &settings.chaos {
        command.env(CHAOS, chaos.spec.to_string());
    }
    if let Some(filter) = &settings.log {
        command.env("GLASSPOLL_LOG", filter);
    }
    Ok(command)
}

fn refused(name: &OsStr, error: &io::Error) -> Refused {
    let name = Path::new(name).display();
    match error.kind() {
        io::ErrorKind::NotFound => Refused { what: format!("{name}: not found"), status: 127 },
        _ => Refused { what: format!("{name} cannot be run: {error}"), status: 126 },
    }
}

/// Replaces this process by the program. Returns only if that fails.
pub fn become_it(mut command: Command) -> Refused {
    let error = command.exec();
    refused(command.get_program(), &error)
}

/// A program that runs, and gets the signals that are sent to us.
pub struct Program {
    child: Child,
    signals: Signals,
    is_to_end: bool,
    /// Other programs follow it: after its end, signals are for us.
    is_one_of_many: bool,
    status: Option<ExitStatus>,
}

impl Program {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Self, Refused> {
        let signals = Signals::take(&PASSED_ON).map_err(|error| format!("signalfd: {error}"))?;
        signals.give_back(&mut command);
        let child = command.spawn().map_err(|error| refused(command.get_program(), &error))?;
        Ok(Self { child, signals, is_to_end: false, is_one_of_many: false, status: None })
    }

    /// Other programs follow it: a signal that comes after its end is not meant for it, and ends us.
    pub fn be_one_of_many(&mut self) {
        self.is_one_of_many = true;
        self.signals.suffer_what_is_left();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The signals, to wait on: they are then passed on.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Whether one of `ENDING` has come.
    pub fn is_to_end(&self) -> bool {
        self.is_to_end
    }

    /// Passes on the signals that have come. The terminal sends its signals to the whole foreground, the program
    /// included: those are not passed on.
    pub fn pass_signals_on(&mut self) {
        if self.is_one_of_many && self.status().is_some() {
            return;
        }
        while let Some((signal, is_for_us)) = self.signals.next() {
            self.is_to_end |= ENDING.contains(&signal);
            // After the wait for it, another process may have its pid.
            if is_for_us && self.status().is_none() {
                sys::kill(self.child.id(), signal);
            }
        }
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            // The wait fails only if something else has waited for it: then it has ended.
            self.status =
                self.child.try_wait().unwrap_or(Some(ExitStatus::from_raw(i32::from(TROUBLE) << 8)));
        }
        self.status
    }
}

/// Ends as a program has ended: with its exit status, or by the same signal.
pub fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        signals::die_by(signal);
        return ExitCode::from((128 + signal) as u8);
    }
    ExitCode::from(status.code().unwrap_or(0) as u8)
}
