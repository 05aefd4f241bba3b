//! A look at a process for as long as a command takes: attached to at its beginning if the user asks for that, and
//! detached from at its end, also when a signal ends it.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::{attach, end_look, Attached, Options, Refusal};
use crate::procfs::family;
use crate::program::ENDING;
use crate::sys;
use crate::sys::signals::Signals;

/// The look.
pub struct Look {
    pid: u32,
    /// None: the process has the record already.
    attached: Option<Attached>,
    /// The processes that descended from it then.
    before: BTreeSet<u32>,
    signals: Signals,
    exit: OwnedFd,
}

impl Look {
    /// Attaches. From now on signals do not end us.
    pub fn begin(pid: u32, options: &Options) -> Result<Self, String> {
        let signals = Signals::take(&ENDING).map_err(|error| format!("signalfd: {error}"))?;
        let before = family::descendants([pid]);
        let attached = match attach(pid, options) {
            Ok(attached) => {
                if attached.slots.is_none() {
                    let end = if attached.stays { "stays so" } else { "it is detached from at the end" };
                    eprintln!("glasspoll: process {pid} was attached to already; {end}");
                }
                Some(attached)
            }
            Err(Refusal::Preloaded) => None,
            Err(refusal) => return Err(format!("process {pid}: {refusal}")),
        };
        let exit = sys::pidfd(pid).map_err(|error| format!("process {pid}: {error}"))?;
        Ok(Self { pid, attached, before, signals, exit })
    }

    /// Whether a signal asks us to end.
    pub fn is_to_end(&self) -> bool {
        std::iter::from_fn(|| self.signals.next()).count() != 0
    }

    /// Looks on for a time; ends sooner if a signal asks us to, or the process ends.
    pub fn wait(&self, period: Duration) {
        let end = Instant::now() + period;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let ready = sys::wait_readable(&[self.signals.fd().as_fd(), self.exit.as_fd()], left);
            if left.is_zero() || ready.contains(&true) {
                return;
            }
        }
    }

    /// Detaches, also from children that were forked meanwhile: they have the library's hooks too.
    pub fn end(self) {
        let Some(attached) = self.attached else { return };
        let options = attached.options().clone();
        say_trouble(self.pid, attached.detach());
        for child in family::descendants([self.pid]) {
            if !self.before.contains(&child) {
                say_trouble(child, end_look(child, &options, || {}));
            }
        }
    }
}

/// A process that has ended, or was never attached to, is no trouble.
fn say_trouble(pid: u32, detached: Result<u32, Refusal>) {
    match detached {
        Ok(_) | Err(Refusal::NoProcess | Refusal::Ended | Refusal::Zombie | Refusal::NotAttached) => {}
        Err(Refusal::Static | Refusal::NoLibc | Refusal::Musl(_) | Refusal::Machine(..)) => {}
        Err(refusal) => {
            eprintln!(
                "glasspoll: process {pid} is still attached to: {refusal}; then: glasspoll detach {pid}"
            );
        }
    }
}
