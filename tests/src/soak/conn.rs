//! One connection of a client: its requests and their answers.

use super::answer::Progress;
use super::asker::{Asked, Asker};
use super::socket::Socket;
use crate::random::Random;
use glasspoll_record::histogram::Histogram;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The server announced that it would close, and closed; or it closed a connection with nothing outstanding.
    Closed,
    /// The server closed with requests outstanding; of the first answer some came, or nothing.
    Lost {
        /// Whether some of the first answer had come.
        partly: bool,
        /// The request and how far its answer came.
        what: String,
    },
    /// The answer differs from the expected one.
    Wrong(String),
}

/// What a client does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Asks and reads.
    Plain,
    /// Sends long requests, and reads nothing before that moment.
    Stalls(Instant),
    /// Sends long requests, and never reads.
    NeverReads,
}

/// A request that is under way.
#[derive(Debug)]
struct Outstanding {
    asked: Asked,
    since: Instant,
    progress: Progress,
}

/// A connection.
#[derive(Debug)]
pub struct Conn {
    /// Its socket.
    pub socket: Socket,
    /// When it was opened.
    pub opened: Instant,
    /// How often its server had been told to shed connections when it was opened.
    pub generation: u64,
    /// What the client does with it.
    pub habit: Habit,
    /// How many requests were sent.
    pub sent: u64,
    /// How many answers came.
    pub answered: u64,
    /// No request is sent before this moment.
    pub next: Instant,
    /// The number in its prefix.
    pub slot: u32,
    /// It will be closed when all requests are answered.
    pub leaving: bool,
    asker: Asker,
    waiting: VecDeque<Outstanding>,
    out: Vec<u8>,
    written: usize,
    /// Only this many bytes are written before that moment.
    hold: Option<(usize, Instant)>,
    closes: bool,
}

impl Conn {
    /// A new one.
    pub fn new(socket: Socket, asker: Asker, generation: u64, habit: Habit, slot: u32) -> Self {
        let now = Instant::now();
        Self {
            socket,
            opened: now,
            generation,
            habit,
            sent: 0,
            answered: 0,
            next: now,
            slot,
            leaving: false,
            asker,
            waiting: VecDeque::new(),
            out: Vec::new(),
            written: 0,
            hold: None,
            closes: false,
        }
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.written == self.out.len()
    }

    /// How many requests are under way.
    pub fn under_way(&self) -> usize {
        self.waiting.len()
    }

    /// Whether it may send a request: the server has not announced that it closes.
    pub fn may_ask(&self) -> bool {
        !self.leaving && !self.closes && self.hold.is_none()
    }

    /// Queues a request. With `pause` it is written in two parts.
    pub fn ask(&mut self, random: &mut Random, pause: Option<Duration>) {
        let asked = match self.habit {
            Habit::Plain => self.asker.ask(random),
            _ => self.asker.ask_much(random),
        };
        let mut since = Instant::now();
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        self.out.extend_from_slice(&asked.text);
        if let Some(pause) = pause {
            since += pause;
            self.hold = Some((self.out.len() - asked.text.len() + asked.text.len() / 2, since));
        }
        self.sent += 1;
        self.waiting.push_back(Outstanding { asked, since, progress: Progress::default() });
    }

    /// The server has lost all its data.
    pub fn forget(&mut self) {
        self.asker.forget();
    }

    /// The events for poll(2).
    pub fn interest(&self, now: Instant) -> i16 {
        let until = match self.hold {
            Some((at, when)) if when > now => at,
            _ => self.out.len(),
        };
        let out = if self.written < until { libc::POLLOUT } else { 0 };
        out | if self.reads(now) { libc::POLLIN } else { 0 }
    }

    fn reads(&self, now: Instant) -> bool {
        match self.habit {
            Habit::Plain => true,
            Habit::Stalls(until) => now >= until,
            Habit::NeverReads => false,
        }
    }

    /// Writes and reads as much as is possible now.
    ///
    /// # Errors
    /// How it ended.
    pub fn go_on(&mut self, events: i16, buffer: &mut [u8], times: &mut Histogram) -> Result<(), End> {
        let now = Instant::now();
        if events & libc::POLLOUT != 0 {
            self.write(now)?;
        }
        if events & !libc::POLLOUT != 0 && self.reads(now) {
            self.read(buffer, times)?;
        }
        Ok(())
    }

    fn write(&mut self, now: Instant) -> Result<(), End> {
        let until = match self.hold {
            Some((at, when)) if when > now => at,
            _ => {
                self.hold = None;
                self.out.len()
            }
        };
        match self.socket.write(&self.out[self.written..until]) {
            Ok(count) => self.written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Data that came before the end is read first.
            Err(_) if self.reads(now) => {}
            Err(error) => return Err(self.lost(&error.to_string())),
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], times: &mut Histogram) -> Result<(), End> {
        // A few times only: other connections must have their turn.
        for _ in 0..4 {
            match self.socket.read(buffer) {
                Ok(0) if self.waiting.is_empty() || self.closes => return Err(End::Closed),
                Ok(0) => return Err(self.lost("the end of the stream")),
                Ok(count) => self.take(&buffer[..count], times)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) if self.waiting.is_empty() || self.closes => return Err(End::Closed),
                Err(error) => return Err(self.lost(&error.to_string())),
            }
        }
        Ok(())
    }

    fn lost(&self, why: &str) -> End {
        let first = self.waiting.front();
        let partly = first.is_some_and(|first| !first.progress.is_none());
        let what = first.map(|first| first.asked.text.clone()).unwrap_or_default();
        let what = String::from_utf8_lossy(&what[..what.len().min(60)]).into_owned();
        let (number, age, more) =
            (self.answered, self.opened.elapsed(), self.waiting.len().saturating_sub(1));
        let part = if partly { "the rest of " } else { "" };
        let what =
            format!("{why} in place of {part}answer {number}, and {more} more, after {age:.2?}: {what:?}");
        End::Lost { partly, what }
    }

    fn take(&mut self, mut input: &[u8], times: &mut Histogram) -> Result<(), End> {
        while !input.is_empty() {
            let Some(first) = self.waiting.front_mut() else {
                let text = String::from_utf8_lossy(&input[..input.len().min(80)]).into_owned();
                return Err(End::Wrong(format!("not asked for: {text:?}")));
            };
            let (used, done) = first.progress.take(&first.asked.expect, input).map_err(End::Wrong)?;
            input = &input[used..];
            if done {
                self.closes |= first.progress.closes;
                if self.habit == Habit::Plain {
                    times.add(first.since.elapsed().as_nanos() as u64);
                }
                self.answered += 1;
                self.waiting.pop_front();
            }
        }
        Ok(())
    }

    /// Whether the server has announced that it closes after its current answers.
    pub fn server_closes(&self) -> bool {
        self.closes
    }

    /// How long the first request has been waiting for its answer, without the time in which the client does not read.
    pub fn waits(&self, now: Instant) -> Option<Duration> {
        let since = self.waiting.front()?.since;
        match self.habit {
            Habit::Plain => Some(now.saturating_duration_since(since)),
            Habit::Stalls(until) => Some(now.saturating_duration_since(since.max(until))),
            Habit::NeverReads => None,
        }
    }

    /// The first request, and how far its answer has come.
    pub fn state(&self) -> String {
        let Some(first) = self.waiting.front() else { return "nothing is outstanding".into() };
        let text = &first.asked.text;
        let text = String::from_utf8_lossy(&text[..text.len().min(60)]);
        format!(
            "{text:?}, answer {}, {} outstanding, {} of {} bytes written, some of it came: {}, {:?}",
            self.answered,
            self.waiting.len(),
            self.written,
            self.out.len(),
            !first.progress.is_none(),
            self.habit
        )
    }
}
