//! One step of a walk, and its line of text.

use std::fmt;
use std::str::FromStr;

/// The kinds of file that a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pipe, both ends.
    Pipe,
    /// A named pipe, opened for reading and for writing.
    Fifo,
    /// A pair of unix streams.
    Unix,
    /// A pair of unix datagram sockets.
    Dgram,
    /// A TCP connection over loopback, both ends.
    Tcp,
    /// A listening TCP socket.
    Listener,
    /// Two UDP sockets connected to each other.
    Udp,
    /// An eventfd.
    Eventfd,
    /// A timerfd that is not set.
    Timerfd,
    /// An inotify that watches the one file that all walks touch.
    Inotify,
    /// A pseudo-terminal: master and raw slave.
    Pty,
    /// A regular file.
    Regular,
    /// An epoll.
    Epoll,
}

const KINDS: [(Kind, &str); 13] = [
    (Kind::Pipe, "pipe"),
    (Kind::Fifo, "fifo"),
    (Kind::Unix, "unix"),
    (Kind::Dgram, "dgram"),
    (Kind::Tcp, "tcp"),
    (Kind::Listener, "listener"),
    (Kind::Udp, "udp"),
    (Kind::Eventfd, "eventfd"),
    (Kind::Timerfd, "timerfd"),
    (Kind::Inotify, "inotify"),
    (Kind::Pty, "pty"),
    (Kind::Regular, "regular"),
    (Kind::Epoll, "epoll"),
];

impl Kind {
    /// How many descriptors it has.
    pub fn places(self) -> usize {
        match self {
            Kind::Pipe | Kind::Fifo | Kind::Unix | Kind::Dgram | Kind::Tcp | Kind::Udp | Kind::Pty => 2,
            Kind::Listener | Kind::Eventfd | Kind::Timerfd | Kind::Inotify | Kind::Regular | Kind::Epoll => 1,
        }
    }

    /// Whether the kernel reports room to write even if there was room before.
    pub fn tells_of_room(self) -> bool {
        matches!(self, Kind::Pipe | Kind::Fifo | Kind::Unix | Kind::Dgram | Kind::Udp | Kind::Pty)
    }
}

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Writes to the file.
    Write,
    /// Watches the file with an epoll of its own.
    Watch,
    /// Closes every descriptor that it inherited.
    Close,
}

const WORKS: [(Work, &str); 3] = [(Work::Write, "write"), (Work::Watch, "watch"), (Work::Close, "close")];

/// Declares the steps whose text is a name and numbers.
macro_rules! steps {
    ($($(#[$doc:meta])* $name:literal => $step:ident { $($field:ident: $type:ty),* },)*) => {
        /// One step. `f` numbers are indexes in the list of descriptors, with all kinds in one list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the fields are the arguments of the call that the variant names")]
        pub enum Step {
            Make(Kind),
            /// A child that ends before the next step.
            Fork { f: usize, work: Work },
            $($(#[$doc])* $step { $($field: $type),* },)*
        }

        impl fmt::Display for Step {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    Step::Make(kind) => write!(out, "make {}", name_of(&KINDS, kind)),
                    Step::Fork { f, work } => write!(out, "fork {} {f}", name_of(&WORKS, work)),
                    $(Step::$step { $($field),* } => {
                        write!(out, $name)?;
                        $(write!(out, " {}", $field)?;)*
                        Ok(())
                    })*
                }
            }
        }

        impl Step {
            fn of_numbers(name: &str, numbers: &[i64]) -> Option<Self> {
                let mut numbers = numbers.iter().copied();
                let step = match name {
                    $($name => Step::$step { $($field: numbers.next()? as $type),* },)*
                    _ => return None,
                };
                numbers.next().is_none().then_some(step)
            }
        }
    };
}

steps! {
    "ctl" => Ctl { ep: usize, op: i32, f: usize, events: u32, data: u64 },
    /// With a null pointer for the event.
    "ctl_null" => CtlNull { ep: usize, op: i32, f: usize },
    "wait" => Wait { ep: usize, max: i32 },
    /// Sleeps for up to a millisecond.
    "sleep" => Sleep { ep: usize, max: i32 },
    /// Waits again and again, until no event comes.
    "rounds" => Rounds { ep: usize, max: i32, waits: usize },
    /// With a null pointer for the events.
    "wait_null" => WaitNull { ep: usize },
    "poll" => Poll { f: usize, events: i16 },
    "select" => Select { f: usize },
    "write" => Write { f: usize, bytes: usize },
    "read" => Read { f: usize, bytes: usize },
    "fill" => Fill { f: usize },
    "drain" => Drain { f: usize },
    /// Sends a byte out of band.
    "oob" => Oob { f: usize },
    /// Sets the timer and lets it expire.
    "expire" => Expire { f: usize },
    /// Writes to the file that every inotify watches.
    "touch" => Touch {},
    "shutdown" => Shutdown { f: usize, how: i32 },
    "connect" => Connect { f: usize },
    "accept" => Accept { f: usize },
    "close" => Close { f: usize },
    "dup" => Dup { f: usize },
    "dup_from" => DupFrom { f: usize, from: i32 },
    "dup2" => Dup2 { f: usize, onto: usize },
    "close_range" => CloseRange { first: usize, last: usize },
    /// Sends a descriptor over a unix stream and receives it at the other end.
    "pass" => Pass { over: usize, to: usize, what: usize },
    /// What fcntl and FIONREAD say of the file.
    "flags" => Flags { f: usize },
}

fn name_of<T: Copy + PartialEq>(names: &[(T, &'static str)], wanted: T) -> &'static str {
    names.iter().find(|(one, _)| *one == wanted).map_or("?", |(_, name)| name)
}

fn by_name<T: Copy>(names: &[(T, &str)], wanted: Option<&&str>) -> Option<T> {
    names.iter().find(|(_, name)| Some(name) == wanted).map(|(one, _)| *one)
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let parsed = match words.as_slice() {
            ["make", kind] => by_name(&KINDS, Some(kind)).map(Step::Make),
            ["fork", work, f] => {
                by_name(&WORKS, Some(work)).zip(f.parse().ok()).map(|(work, f)| Step::Fork { f, work })
            }
            [name, rest @ ..] => rest
                .iter()
                .map(|word| word.parse().ok())
                .collect::<Option<Vec<i64>>>()
                .and_then(|numbers| Step::of_numbers(name, &numbers)),
            [] => None,
        };
        parsed.ok_or_else(|| format!("not a step: {line:?}"))
    }
}

impl Step {
    /// How many places the step makes.
    pub fn makes(&self) -> usize {
        match self {
            Step::Make(kind) => kind.places(),
            Step::Dup { .. }
            | Step::DupFrom { .. }
            | Step::Pass { .. }
            | Step::Connect { .. }
            | Step::Accept { .. } => 1,
            _ => 0,
        }
    }

    /// The same step with its places renamed; None if one of them has no new name.
    pub fn renamed(&self, name: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let mut step = *self;
        match &mut step {
            Step::Make(_) | Step::Touch {} => {}
            Step::Ctl { ep, f, .. } | Step::CtlNull { ep, f, .. } => (*ep, *f) = (name(*ep)?, name(*f)?),
            Step::Wait { ep, .. }
            | Step::Sleep { ep, .. }
            | Step::Rounds { ep, .. }
            | Step::WaitNull { ep } => {
                *ep = name(*ep)?;
            }
            Step::Dup2 { f, onto } => (*f, *onto) = (name(*f)?, name(*onto)?),
            Step::CloseRange { first, last } => (*first, *last) = (name(*first)?, name(*last)?),
            Step::Pass { over, to, what } => (*over, *to, *what) = (name(*over)?, name(*to)?, name(*what)?),
            Step::Fork { f, .. }
            | Step::Poll { f, .. }
            | Step::Select { f }
            | Step::Write { f, .. }
            | Step::Read { f, .. }
            | Step::Fill { f }
            | Step::Drain { f }
            | Step::Oob { f }
            | Step::Expire { f }
            | Step::Shutdown { f, .. }
            | Step::Connect { f }
            | Step::Accept { f }
            | Step::Close { f }
            | Step::Dup { f }
            | Step::DupFrom { f, .. }
            | Step::Flags { f } => *f = name(*f)?,
        }
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::{generate, Terms};

    #[test]
    fn every_step_survives_its_text() {
        for any_order in [false, true] {
            for step in generate(1, 5000, Terms { any_order, polled: false }) {
                assert_eq!(step.to_string().parse::<Step>(), Ok(step));
            }
        }
    }
}
