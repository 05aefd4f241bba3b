//! The lull: no thread writes or changes anything, and everything that is ready must be reported and used up.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::calls;
use super::cookies::{words, IN};
use super::plan::Role;
use super::world::{lock, shared, Item, World};

/// How long a closed file may live on in a call that was in progress.
const GRACE_MS: u128 = 1000;

const OUT: u32 = libc::EPOLLOUT as u32;
const ALWAYS: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

impl World {
    /// Waits until the workers rest and everything that is ready is used up.
    pub fn lull(&self) {
        if !self.pace.calm(self.options.patience) {
            self.fail("stuck", "a thread does not come back");
        }
        let start = Instant::now();
        let before = self.told();
        loop {
            let (left, deaf) = (self.unreported(), self.deaf(&before));
            if left.is_empty() && deaf.is_empty() {
                break;
            }
            if let Some(thread) = self.threads.iter().find(|thread| thread.is_stuck(self.options.patience)) {
                self.fail("stuck", &thread.words());
            }
            if start.elapsed() > self.options.patience {
                match left.is_empty() {
                    true => self.fail("deaf", &deaf.join("\n  ")),
                    false => self.fail("lost", &left.join("\n  ")),
                }
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        let before = self.start.elapsed().as_millis().saturating_sub(GRACE_MS);
        lock(&self.closed).retain(|(when, cookie)| {
            if *when < before {
                self.bury(*cookie);
            }
            *when >= before
        });
        self.pace.go_on();
    }

    /// The sets on which a thread waits, directly or through a set that contains them.
    pub fn served(&self) -> Vec<bool> {
        let count = self.sets.len();
        let mut served = vec![false; count];
        for role in &self.plan.roles {
            match role {
                Role::Wait { set, .. } => served[*set] = true,
                Role::Poll { sets } => sets.iter().for_each(|set| served[*set] = true),
            }
        }
        let mut outers: Vec<usize> = (0..count).collect();
        outers.sort_by_key(|set| std::cmp::Reverse(self.plan.levels[*set]));
        for outer in outers {
            for inner in 0..count {
                let link = *lock(self.link(outer, inner));
                let of = shared(&self.sets[inner].epoll).life;
                if let Some((item, _)) = link.filter(|(_, life)| *life == of) {
                    served[inner] |= served[outer] && self.is_watching(&item);
                }
            }
        }
        served
    }

    /// Whether an item is in its set and may be reported.
    pub fn is_watching(&self, item: &Item) -> bool {
        item.life == shared(&self.sets[item.set].epoll).life
            && self.cookies.get(item.cookie).is_some_and(|cookie| cookie.is_armed())
    }

    /// What is ready and should have been reported and used up, in words.
    fn unreported(&self) -> Vec<String> {
        let served = self.served();
        let mut left = Vec::new();
        for slot in &self.slots {
            let pair = shared(&slot.pair);
            // A pulse becomes ready again, so it is never used up.
            let Some(pair) = pair.as_ref().filter(|pair| !self.file(pair.file).traits.pulse) else {
                continue;
            };
            let mut look = |item: Option<Item>, fd, asked: u32| {
                let Some(item) = item.filter(|item| served[item.set] && self.is_watching(item)) else {
                    return;
                };
                let ready = calls::readiness(fd, asked);
                let mask = self.cookies.get(item.cookie).map_or(0, |cookie| cookie.mask);
                if ready & (mask | ALWAYS) != 0 {
                    let what = self.describe(item.cookie);
                    left.push(format!("ready for {} and not reported: fd {fd} {what}", words(ready)));
                }
            };
            for item in
                slot.items.iter().map(|item| *lock(item)).chain(pair.orphans.iter().map(|item| Some(*item)))
            {
                look(item, pair.reader, IN);
            }
            if self.file(pair.file).blocked.load(SeqCst) && pair.writer >= 0 {
                look(*lock(&slot.out), pair.writer, OUT);
            }
        }
        left
    }
}
