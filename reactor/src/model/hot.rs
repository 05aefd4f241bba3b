//! Items become hot and cold while their files become ready.

use super::kernel::{self, Sort};
use super::process::{Pipe, Process};
use super::{model, spawn};
use crate::uapi::*;

model!(
    a_wakeup_while_an_item_goes_cold_is_delivered,
    Some(4),
    [demoted_and_not_asked => "deadlock"],
    || {
        let process = Process::new(true);
        let (set, pipe) = (process.set(), Pipe::known(10, Sort::Pipe));
        set.add(&pipe.file, EPOLLIN);
        assert_eq!(set.ep.mtx.count(), 1, "it is hot");
        let other = pipe.arrives();
        set.ep.demote_hot_items();
        assert_eq!(set.ep.mtx.count(), 0, "it is cold");
        assert_eq!(set.wait_in(&process), [(10, EPOLLIN)]);
        other.join().expect("no panic");
    }
);

model!(
    /// One wait arms the item, and the next polls it for the last time.
    a_wakeup_while_an_item_is_leaving_is_delivered,
    Some(3),
    [demoted_and_not_asked => "deadlock"],
    || {
        let process = Process::new(true);
        let (set, pipe) = (process.set(), Pipe::known(10, Sort::Pipe));
        set.add(&pipe.file, EPOLLIN);
        let other = pipe.arrives();
        set.ep.begin_to_leave(&mut set.ep.mtx.lock(), 0);
        assert_eq!(set.wait_in(&process), [(10, EPOLLIN)]);
        other.join().expect("no panic");
    }
);

model!(
    /// It was reported and not drained, so it goes cold. What was reported before is no new edge.
    more_data_after_an_undrained_edge_is_an_edge,
    Some(3),
    [intake_is_not_compared => "deadlock"],
    || {
        let process = Process::new(true);
        let (set, tcp) = (process.set(), Pipe::known(10, Sort::Tcp));
        set.add(&tcp.file, EPOLLIN | EPOLLET);
        kernel::arrive(tcp.open, EPOLLIN);
        assert_eq!(set.wait_in(&process), [(10, EPOLLIN)]);
        let other = tcp.arrives();
        assert_eq!(set.wait_in(&process), [(10, EPOLLIN)]);
        other.join().expect("no panic");
    }
);

model!(
    of_two_that_wait_for_hot_items_both_get_a_level,
    Some(2),
    [a_second_waiter_demotes_nothing => "deadlock"],
    || {
        let process = Process::new(true);
        let (set, pipe) = (process.set(), Pipe::known(10, Sort::Pipe));
        set.add(&pipe.file, EPOLLIN);
        // Two helpers may come, one after the other, and loom has room for five threads.
        let other = {
            let (set, watch) = (set.clone(), process.watch());
            spawn(move || {
                kernel::arrive(pipe.open, EPOLLIN);
                set.wait_for(watch, None).len()
            })
        };
        assert_eq!(set.wait_in(&process).len(), 1);
        assert_eq!(other.join().expect("no panic"), 1);
    }
);

model!(
    nobody_sleeps_on_a_hot_item_that_was_removed,
    Some(3),
    [a_removal_does_not_quiesce => "slept on"],
    || {
        let process = Process::new(true);
        let (set, pipe, last) = (process.set(), Pipe::known(10, Sort::Pipe), Pipe::known(11, Sort::Pipe));
        set.add(&pipe.file, EPOLLIN);
        set.add(&last.file, EPOLLIN);
        let other = set.waits(&process, None);
        set.ctl(EPOLL_CTL_DEL, &pipe.file, 0);
        assert!(!kernel::is_slept_on(pipe.open), "slept on");
        kernel::arrive(last.open, EPOLLIN);
        assert_eq!(other.join().expect("no panic"), 1);
    }
);
