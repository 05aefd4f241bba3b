//! Class 24: epoll instances pile up. The program makes one for each connection or request, and does not close it.

use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::World;
use crate::text::units::count;

/// How many sets without use are no chance: a pool of threads may have a few.
const MANY: usize = 20;

/// The rule of class 24.
#[derive(Debug, Default)]
pub struct Piling;

impl Rule for Piling {
    fn event(&mut self, _world: &World, _entry: &Entry) {}

    fn gap(&mut self) {}

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        // A set was used, its items are gone, and no thread waits on it.
        let is_left = |epoll: &u32| {
            let set = world.set(*epoll);
            set.is_some_and(|set| !set.inherited && set.turns > 0 && set.waiting == 0)
                && world.items_in(*epoll) == 0
        };
        let left: Vec<u32> = world.sets.keys().copied().filter(is_left).collect();
        if left.len() < MANY {
            return;
        }
        let mut tally = Tally::new();
        for set in left.iter().filter_map(|epoll| world.set(*epoll)) {
            tally.add(set.last_ns, set.epfd.unwrap_or(-1), 0);
        }
        tally.first_ns =
            left.iter().filter_map(|epoll| world.set(*epoll)).map(|set| set.last_ns).min().unwrap_or(0);
        let left = count(left.len() as u64);
        let title =
            format!("{left} epoll instances are open that were waited on, and have no items any more");
        out.push(
            Finding::new(24, Severity::Warning, world.pid, title, &tally)
                .because(format!("the process has made {} of them", count(world.sets.len() as u64)))
                .unknown("whether the program means to use them again"),
        );
    }
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
    fn sets_that_are_closed_or_have_items_are_fine() {
        assert_eq!(sets(true, true), []);
        assert_eq!(sets(false, false), []);
    }
}
