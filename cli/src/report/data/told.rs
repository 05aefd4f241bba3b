//! A process's replay, and the timelines of its loops.

use std::collections::HashMap;

use glasspoll_record::{Process, Recording};

use super::{begin, first};
use crate::replay::Replay;
use crate::report::track::{Numbers, Track};

/// The most events with exact timelines; with more, short pieces become one, down to about this many pieces.
const EVENTS: usize = 2_000_000;
const PIECES: u64 = 600_000;

/// A process, and the timelines of its loops.
#[derive(Debug)]
pub struct Told {
    pub(super) replay: Replay,
    pub(super) tracks: HashMap<(u32, u32), Track>,
    pub(super) numbers: Numbers,
}

/// Replays each process.
pub fn replay(recording: &Recording) -> Vec<Told> {
    let begin = begin(recording);
    let events: usize = recording.processes.iter().map(|process| process.events.len()).sum();
    let pieces = (PIECES / recording.processes.len().max(1) as u64).max(1);
    let one = |process: &Process| {
        let length = process.end_ns().saturating_sub(first(process));
        let finest = if events > EVENTS { length / pieces } else { 0 };
        let mut tracks: HashMap<(u32, u32), Track> = HashMap::new();
        let mut numbers = Numbers::default();
        let replay = Replay::tell(process, |span| {
            let track = tracks.entry((span.tid, span.epoll)).or_default();
            track.add(&span, begin, finest, &mut numbers);
        });
        tracks.values_mut().for_each(Track::flush);
        Told { replay, tracks, numbers }
    };
    recording.processes.iter().map(one).collect()
}
