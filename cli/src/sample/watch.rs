//! Looks at the threads of a running process for a while, for a file that is made of its ring afterwards.

use std::time::{Duration, Instant};

use glasspoll_record::stream::Stream;
use glasspoll_record::{find, sample, Sample};

use super::Sampler;

/// The ring of a fast loop is full in some 20 ms.
const PAUSE: Duration = Duration::from_millis(4);

/// Looks for a time, and no longer than until `is_to_end`; `more` than that as long as a thread is away.
pub fn watch(
    pid: u32,
    period: Duration,
    more: Duration,
    ptrace: bool,
    is_to_end: impl Fn() -> bool,
) -> Vec<Sample> {
    let Ok(live) = find::open(pid) else { return Vec::new() };
    let (mut sampler, mut seen, begin) = (Sampler::new(ptrace), Vec::new(), Instant::now());
    sampler.begin(0, pid, live.header());
    let mut stream = Stream::new(live);
    let mut lost = None;
    // A pread(2) of a memfd has no reason to fail.
    while let Ok(events) = stream.poll() {
        let is_gap = lost.replace(stream.lost_blocks).is_some_and(|before| before != stream.lost_blocks);
        let new = sampler.take(0, &events, is_gap);
        new.into_iter().for_each(|sample| sample::keep(&mut seen, sample));
        let limit = if sampler.is_busy() { period + more } else { period };
        if begin.elapsed() >= limit || is_to_end() || std::fs::metadata(format!("/proc/{pid}")).is_err() {
            break;
        }
        std::thread::sleep(PAUSE.min(sampler.pause()));
    }
    seen.extend(sampler.finish().0.into_iter().map(|(_, sample)| sample));
    seen
}
