//! Class 24: epoll instances pile up. The program makes one for each connection or request, and does not close it.
//!
//! One that nobody has waited on may belong to a pool of threads that is made at the start. It counts if the program goes
//! on to make such ones.

use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::world::Set;
use crate::replay::World;
use crate::text::units::count;

/// How many sets without use are no chance: a pool of threads may have a few.
const MANY: usize = 20;

/// Over this long sets that nobody uses have been made: no pool.
const LONG_NS: u64 = 1_000_000_000;

/// The rule of class 24.
#[derive(Debug, Default)]
pub struct Piling;

impl Rule for Piling {
    fn event(&mut self, _world: &World, _entry: &Entry) {}

    fn gap(&mut self) {}

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        // It has no items, and no thread waits on it.
        let is_left = |epoll: &u32| {
            world.set(*epoll).is_some_and(|set| !set.inherited && set.waiting == 0)
                && world.items_in(*epoll) == 0
        };
        let all: Vec<u32> = world.sets.keys().copied().filter(is_left).collect();
        let is_used = |epoll: &u32| world.set(*epoll).is_some_and(|set| set.turns > 0);
        let (used, unused): (Vec<u32>, Vec<u32>) = all.into_iter().partition(is_used);
        if used.len() >= MANY {
            out.push(finding(world, &used, "that were waited on, and have no items any more"));
        }
        // When each was made, in order; the last of them may still be on their way to a thread.
        let made: Vec<u64> = unused.iter().filter_map(|epoll| world.set(*epoll)?.made).collect();
        let goes_on = made.first().zip(made.last()).is_some_and(|(first, last)| last - first >= LONG_NS);
        if made.len() >= MANY && goes_on {
            out.push(finding(world, &unused, "that nobody has ever waited on, and have no items"));
        }
    }
}

fn finding(world: &World, left: &[u32], what: &str) -> Finding {
    let mut tally = Tally::new();
    let when = |set: &Set| set.last_ns.max(set.made.unwrap_or(0));
    for set in left.iter().filter_map(|epoll| world.set(*epoll)) {
        tally.add(when(set), set.epfd.unwrap_or(-1), 0);
    }
    tally.first_ns = left.iter().filter_map(|epoll| world.set(*epoll)).map(when).min().unwrap_or(0);
    let title = format!("{} epoll instances are open {what}", count(left.len() as u64));
    Finding::new(24, Severity::Warning, world.pid, title, &tally)
        .because(format!("the process has made {} of them", count(world.sets.len() as u64)))
        .unknown("whether the program means to use them again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};
    use glasspoll_record::event::Event;

    fn sets(closes: bool, ends: bool) -> Vec<(u8, Severity)> {
        let mut script = Script::new();
        for epoll in 2..40 {
            let fd = 200 + epoll as i32;
            script.epoll = epoll;
            script.event(Event::Create { epoll, epfd: 100 + epoll as i32, inherited: false });
            script.add(fd, IN).wait(&[(fd, IN)]).read(fd, 10, 10);
            if ends {
                script.close(fd);
            }
            if closes {
                script.close(100 + epoll as i32);
            }
        }
        script.found()
    }

    #[test]
    fn sets_that_nobody_uses_any_more_are_found() {
        assert_eq!(sets(false, true), [(24, Severity::Warning)]);
    }

    #[test]
    fn sets_that_are_made_for_nothing_are_found_unless_they_are_a_pool() {
        for (ms, expected) in [(100, &[(24, Severity::Warning)][..]), (1, &[])] {
            let mut script = Script::new();
            for epoll in 2..40 {
                script.ms(ms).event(Event::Create { epoll, epfd: 100 + epoll as i32, inherited: false });
            }
            assert_eq!(script.found(), expected);
        }
    }

    #[test]
    fn sets_that_are_closed_or_have_items_are_fine() {
        assert_eq!(sets(true, true), []);
        assert_eq!(sets(false, false), []);
    }
}
