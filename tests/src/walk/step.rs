//! One step of a walk, and its line of text.

use std::fmt;
use std::str::FromStr;

/// What a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pipe, both ends.
    Pipe,
    /// A pair of unix streams.
    Unix,
    /// A pair of unix datagram sockets.
    Dgram,
    /// A TCP connection over loopback, both ends.
    Tcp,
    /// Two UDP sockets connected to each other.
    Udp,
    /// An eventfd, once.
    Eventfd,
    /// A pseudo-terminal: master and raw slave.
    Pty,
    /// An epoll.
    Epoll,
}

const KINDS: [(Kind, &str); 8] = [
    (Kind::Pipe, "pipe"),
    (Kind::Unix, "unix"),
    (Kind::Dgram, "dgram"),
    (Kind::Tcp, "tcp"),
    (Kind::Udp, "udp"),
    (Kind::Eventfd, "eventfd"),
    (Kind::Pty, "pty"),
    (Kind::Epoll, "epoll"),
];

/// One step. `f` numbers are places in the list of descriptors, all kinds in one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of the call that the variant names")]
pub enum Step {
    Make(Kind),
    Ctl {
        ep: usize,
        op: i32,
        f: usize,
        events: u32,
        data: u64,
    },
    Wait {
        ep: usize,
        max: i32,
    },
    Poll {
        f: usize,
        events: i16,
    },
    Select {
        f: usize,
    },
    Write {
        f: usize,
        bytes: usize,
    },
    Read {
        f: usize,
        bytes: usize,
    },
    Fill {
        f: usize,
    },
    Drain {
        f: usize,
    },
    Shutdown {
        f: usize,
        how: i32,
    },
    Close {
        f: usize,
    },
    Dup {
        f: usize,
    },
    Dup2 {
        f: usize,
        onto: usize,
    },
    CloseRange {
        first: usize,
        last: usize,
    },
    /// A child closes its copies and writes to one file, then ends.
    Fork {
        f: usize,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Make(kind) => {
                let name = KINDS.iter().find(|(other, _)| *other == kind).map_or("?", |(_, name)| name);
                write!(out, "make {name}")
            }
            Step::Ctl { ep, op, f, events, data } => write!(out, "ctl {ep} {op} {f} {events} {data}"),
            Step::Wait { ep, max } => write!(out, "wait {ep} {max}"),
            Step::Poll { f, events } => write!(out, "poll {f} {events}"),
            Step::Select { f } => write!(out, "select {f}"),
            Step::Write { f, bytes } => write!(out, "write {f} {bytes}"),
            Step::Read { f, bytes } => write!(out, "read {f} {bytes}"),
            Step::Fill { f } => write!(out, "fill {f}"),
            Step::Drain { f } => write!(out, "drain {f}"),
            Step::Shutdown { f, how } => write!(out, "shutdown {f} {how}"),
            Step::Close { f } => write!(out, "close {f}"),
            Step::Dup { f } => write!(out, "dup {f}"),
            Step::Dup2 { f, onto } => write!(out, "dup2 {f} {onto}"),
            Step::CloseRange { first, last } => write!(out, "close_range {first} {last}"),
            Step::Fork { f } => write!(out, "fork {f}"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let bad = || format!("not a step: {line:?}");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, rest) = words.split_first().ok_or_else(bad)?;
        if *name == "make" {
            let wanted = rest.first().ok_or_else(bad)?;
            let kind = KINDS.iter().find(|(_, name)| name == wanted).ok_or_else(bad)?;
            return Ok(Step::Make(kind.0));
        }
        let numbers: Vec<i64> =
            rest.iter().map(|word| word.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
        let at = |n: usize| numbers.get(n).copied().unwrap_or(0);
        let f = at(0) as usize;
        Ok(match *name {
            "ctl" => Step::Ctl {
                ep: f,
                op: at(1) as i32,
                f: at(2) as usize,
                events: at(3) as u32,
                data: at(4) as u64,
            },
            "wait" => Step::Wait { ep: f, max: at(1) as i32 },
            "poll" => Step::Poll { f, events: at(1) as i16 },
            "select" => Step::Select { f },
            "write" => Step::Write { f, bytes: at(1) as usize },
            "read" => Step::Read { f, bytes: at(1) as usize },
            "fill" => Step::Fill { f },
            "drain" => Step::Drain { f },
            "shutdown" => Step::Shutdown { f, how: at(1) as i32 },
            "close" => Step::Close { f },
            "dup" => Step::Dup { f },
            "dup2" => Step::Dup2 { f, onto: at(1) as usize },
            "close_range" => Step::CloseRange { first: f, last: at(1) as usize },
            "fork" => Step::Fork { f },
            _ => return Err(bad()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::generate;

    #[test]
    fn every_step_survives_its_text() {
        for step in generate(1, 2000) {
            assert_eq!(step.to_string().parse::<Step>(), Ok(step));
        }
    }
}
