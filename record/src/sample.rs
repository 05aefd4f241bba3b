//! What a thread does at a moment while it is away from its waits, or spins in them, as seen from outside.
//!
//! In a file it is a chunk of kind 11: u32 ring, u64 ns, u64 since, u64 ran, u64 waited, u32 thread, i32 fd, u8 state,
//! u8 whether it spins, and text: the system call and the frames, a line each.

use crate::ring::{u32_at, u64_at};

/// The longest text of a frame, and the most frames.
const TEXT: usize = 256;
const FRAMES: usize = 64;
/// The bytes before the text, without those of the ring.
const HEAD: usize = 42;

/// One look at a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When. CLOCK_MONOTONIC.
    pub ns: u64,
    /// Since when the thread is away from its waits, or spins.
    pub since_ns: u64,
    /// How long it has run since the first look.
    pub ran_ns: u64,
    /// How long it could have run since the first look, and had no processor.
    pub waited_ns: u64,
    /// The thread, or `ALL`.
    pub tid: u32,
    /// The fd that its system call is about, or that it spins on; -1: none.
    pub fd: i32,
    /// As in `/proc/PID/stat`: R, S, D or T. 0: it is back, and `ran_ns` and `waited_ns` are all that there was.
    /// `STACK`: only the frames of an earlier look.
    pub state: u8,
    /// Its waits return at once, over and over.
    pub spins: bool,
    /// The system call that it sleeps in; empty: none.
    pub call: String,
    /// Its stack, the innermost function first; empty: not looked at.
    pub frames: Vec<String>,
}

/// As many samples of a process are kept, and up to twice as many.
const KEPT: usize = 1 << 15;

/// Adds a sample to those of a process; the oldest are forgotten first.
pub fn keep(all: &mut Vec<Sample>, sample: Sample) {
    if all.len() >= 2 * KEPT {
        all.drain(..KEPT);
    }
    all.push(sample);
}

impl Sample {
    /// In place of a state: the sample tells the frames of an earlier look, and nothing else.
    pub const STACK: u8 = b'+';
    /// In place of a thread: all threads of the process together. `ran_ns` and `waited_ns` are their sums from `since_ns`
    /// to `ns`; state T: they were stopped meanwhile.
    pub const ALL: u32 = 0;

    /// The contents of its chunk, without the ring.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + 64);
        for word in [self.ns, self.since_ns, self.ran_ns, self.waited_ns] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.tid.to_le_bytes());
        bytes.extend(self.fd.to_le_bytes());
        bytes.extend([self.state, u8::from(self.spins)]);
        bytes.extend(one_line(&self.call).bytes());
        for frame in self.frames.iter().take(FRAMES) {
            bytes.push(b'\n');
            bytes.extend(one_line(frame).bytes());
        }
        bytes
    }

    /// From such contents; None: they are too short.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes.get(HEAD..)?).into_owned();
        let mut lines = text.split('\n').map(one_line);
        let word = |at: usize| u64_at(bytes, at * 8);
        Some(Self {
            ns: word(0),
            since_ns: word(1),
            ran_ns: word(2),
            waited_ns: word(3),
            tid: u32_at(bytes, 32),
            fd: u32_at(bytes, 36) as i32,
            state: bytes[40],
            spins: bytes[41] != 0,
            call: lines.next().unwrap_or_default(),
            frames: lines.take(FRAMES).collect(),
        })
    }
}

fn one_line(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back() {
        let sample = Sample {
            ns: 7,
            since_ns: 6,
            ran_ns: 1 << 40,
            waited_ns: 3,
            tid: 4711,
            fd: -1,
            state: b'S',
            spins: true,
            call: "flock".into(),
            frames: vec!["flock (libc.so.6+0x10)".into(), "main (a.c:3)".into()],
        };
        assert_eq!(Sample::from_bytes(&sample.to_bytes()), Some(sample.clone()));
        let none = Sample { call: String::new(), frames: Vec::new(), ..sample };
        assert_eq!(Sample::from_bytes(&none.to_bytes()), Some(none));
        assert_eq!(Sample::from_bytes(&[0; HEAD - 1]), None);
    }

    #[test]
    fn the_latest_are_kept() {
        let mut all = Vec::new();
        let last = 5 * KEPT as u64;
        (0..=last).for_each(|ns| keep(&mut all, Sample { ns, ..Sample::default() }));
        assert!((KEPT..=2 * KEPT).contains(&all.len()), "{}", all.len());
        assert_eq!(all.last().map(|sample| sample.ns), Some(last));
        assert!(all.windows(2).all(|two| two[0].ns + 1 == two[1].ns));
    }

    #[test]
    fn texts_are_bounded_and_lie_on_a_line_each() {
        let frames = vec!["a\nb\x1b".repeat(1000); 1000];
        let sample = Sample::from_bytes(&Sample { frames, ..Sample::default() }.to_bytes()).unwrap();
        assert_eq!((sample.frames.len(), sample.frames[0].len()), (FRAMES, TEXT));
        assert!(sample.frames[0].starts_with("abab"));
    }
}
