//! Files that become ready again each time they are drained, also in lulls: what comes during a read, or right after
//! it, is an edge.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::calls;
use super::cookies::IN;
use super::files::Kind;
use super::threads::Deed;
use super::waiting::Me;
use super::world::{lock, shared, World};

/// How often each must be reported in a lull.
const TIMES: u64 = 3;

impl Me<'_> {
    /// Writes to the pulses as soon as they are empty, until the era is over.
    pub fn pulse_all_the_time(&mut self) {
        while !self.world.pace.is_over() {
            let written = (0..self.world.slots.len()).filter(|slot| self.refill(*slot)).count();
            if written == 0 && self.random.chance(30) {
                std::thread::sleep(Duration::from_micros(self.random.below(100) as u64));
            }
        }
    }

    /// Writes if there is nothing to read.
    fn refill(&mut self, slot: usize) -> bool {
        let world = self.world;
        let Ok(pair) = world.slots[slot].pair.try_read() else { return false };
        let Some(pair) = pair.as_ref() else { return false };
        let file = world.file(pair.file);
        let by_itself = file.traits.shared || file.traits.kind.is_timer();
        if !file.traits.pulse || by_itself || calls::readiness(pair.reader, IN) != 0 {
            return false;
        }
        self.put(pair, file)
    }

    /// Sets a timer anew, if it is one that its reader sets.
    pub fn set_anew(&mut self, fd: libc::c_int, number: usize) {
        let file = self.world.file(number);
        if file.traits.pulse && file.traits.kind == Kind::Timerfd {
            self.status.now(Deed::Write, fd);
            if let Err(errno) = file.write(fd, 0, &mut self.random) {
                self.world.fail("answer", &format!("a timer cannot be set: {errno}"));
            }
            self.status.now(Deed::Nothing, fd);
        }
    }
}

impl World {
    /// How often the pulse in each slot was reported so far.
    pub fn told(&self) -> Vec<Option<(usize, u64)>> {
        let told = |slot: &super::world::Slot| {
            let number = shared(&slot.pair).as_ref()?.file;
            let file = self.file(number);
            file.traits.pulse.then(|| (number, file.told.load(SeqCst)))
        };
        self.slots.iter().map(told).collect()
    }

    /// The watched pulses that were not reported often enough since `before`, in words.
    pub fn deaf(&self, before: &[Option<(usize, u64)>]) -> Vec<String> {
        let served = self.served();
        let mut deaf = Vec::new();
        for (slot, before) in self.slots.iter().zip(before) {
            let pair = shared(&slot.pair);
            let (Some(pair), Some((number, told))) = (pair.as_ref(), before) else { continue };
            let file = self.file(*number);
            if pair.file != *number || file.told.load(SeqCst) >= told + TIMES {
                continue;
            }
            let items = slot.items.iter().filter_map(|item| *lock(item)).chain(pair.orphans.iter().copied());
            let watching = items.filter(|item| served[item.set] && self.is_watching(item));
            for item in watching {
                let (ready, what) = (calls::readiness(pair.reader, IN), self.describe(item.cookie));
                let times = file.told.load(SeqCst) - told;
                deaf.push(format!(
                    "told {times} times, now {ready:#x}: fd {}, {what}, {item:?}",
                    pair.reader
                ));
            }
        }
        deaf
    }
}
