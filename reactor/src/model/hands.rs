//! The watch changes hands, and the files change on which a thread sleeps.

use super::process::{Pipe, Process};
use super::{kernel, model, spawn};
use crate::eventpoll::release_file;
use crate::uapi::*;

const LATE: Option<u64> = Some(1000);

model!(
    when_the_watcher_wakes_another_watches_for_those_that_still_sleep,
    Some(2),
    [the_watch_goes_to_nobody => "deadlock"],
    || {
        let process = Process::new(false);
        let (a, b) = (process.set(), process.set());
        let pipes = [Pipe::new(10), Pipe::new(11)];
        a.add(&pipes[0].file, EPOLLIN);
        b.add(&pipes[1].file, EPOLLIN);
        let other = b.waits(&process, None);
        kernel::arrive(pipes[0].open, EPOLLIN);
        assert_eq!(a.wait_in(&process).len(), 1);
        kernel::arrive(pipes[1].open, EPOLLIN);
        assert_eq!(other.join().expect("no panic"), 1);
    }
);

model!(
    when_the_watcher_times_out_another_watches_for_those_that_still_sleep,
    Some(2),
    [the_watch_goes_to_nobody => "deadlock"],
    || {
        let process = Process::new(false);
        let (a, b, pipe) = (process.set(), process.set(), Pipe::new(10));
        b.add(&pipe.file, EPOLLIN);
        let other = b.waits(&process, None);
        assert_eq!(a.wait_for(process.watch(), LATE).len(), 0);
        kernel::arrive(pipe.open, EPOLLIN);
        assert_eq!(other.join().expect("no panic"), 1);
    }
);

model!(
    /// The helper's idle time ends at that moment. A guest makes the helper hold the watch.
    a_helper_that_is_about_to_end_hears_that_it_is_called,
    Some(2),
    [an_ending_helper_hears_nothing => "deadlock"],
    || {
        let process = Process::new(false);
        let (set, pipe) = (process.set(), Pipe::new(10));
        set.add(&pipe.file, EPOLLIN);
        process.watch().call_helper();
        process.watch().guest_comes();
        process.watch().call_helper();
        let other = pipe.arrives();
        assert_eq!(set.wait_in(&process).len(), 1);
        other.join().expect("no panic");
        process.watch().guest_leaves();
    }
);

model!(
    /// A thread woke the last sleeper, and the helper, which holds the watch, does not know that.
    a_helper_that_holds_the_watch_ends_with_the_last_thread,
    Some(1),
    [a_helper_that_nobody_needs_sleeps_on => "deadlock"],
    || {
        let process = Process::new(false);
        let (a, b) = (process.set(), process.set());
        let pipes = [Pipe::new(10), Pipe::new(11)];
        a.add(&pipes[0].file, EPOLLIN);
        kernel::arrive(pipes[1].open, EPOLLIN);
        let other = b.waits(&process, None);
        let arriving = pipes[0].arrives();
        assert_eq!(a.wait_in(&process).len(), 1);
        arriving.join().expect("no panic");
        b.add(&pipes[1].file, EPOLLIN);
        assert_eq!(other.join().expect("no panic"), 1);
    }
);

model!(
    /// The waiter of the first set may be about to leave its wait.
    an_exclusive_wakeup_of_two_sets_finds_a_thread_that_still_waits,
    Some(1),
    [an_exclusive_wakeup_is_used_by_nobody => "deadlock"],
    || {
        let process = Process::new(false);
        let (a, b) = (process.set(), process.set());
        let pipes = [Pipe::new(10), Pipe::new(11)];
        for set in [&a, &b] {
            set.add(&pipes[0].file, EPOLLIN | EPOLLEXCLUSIVE);
        }
        // Two helpers may come, one after the other, and loom has room for five threads.
        let other = {
            let (set, watch, open) = (b.clone(), process.watch(), pipes[0].open);
            spawn(move || {
                kernel::arrive(open, EPOLLIN);
                set.wait_for(watch, None).len()
            })
        };
        let told = a.wait_for(process.watch(), LATE).len();
        if told == 1 {
            // The other waiter may sleep on.
            kernel::arrive(pipes[1].open, EPOLLIN);
            b.add(&pipes[1].file, EPOLLIN);
        }
        assert!(other.join().expect("no panic") > 0);
    }
);

model!(
    a_file_that_is_added_while_the_watcher_sleeps_is_slept_on,
    Some(3),
    [a_change_unparks_nobody => "deadlock"],
    || {
        let process = Process::new(false);
        let (set, polled) = (process.set(), Pipe::shared(10));
        let other = set.waits(&process, None);
        set.add(&polled.file, EPOLLIN);
        kernel::arrive(polled.open, EPOLLIN);
        assert_eq!(other.join().expect("no panic"), 1);
    }
);

model!(
    /// The peer must see the end at once, and the fd may stand for another file.
    nobody_sleeps_on_a_file_that_was_released,
    Some(3),
    [a_sleeper_parks_on_an_old_list => "slept on", a_release_does_not_quiesce => "slept on"],
    || {
        let process = Process::new(false);
        let (set, polled, pipe) = (process.set(), Pipe::shared(10), Pipe::new(11));
        set.add(&polled.file, EPOLLIN);
        set.add(&pipe.file, EPOLLIN);
        let other = set.waits(&process, None);
        release_file(&polled.file);
        assert!(!kernel::is_slept_on(polled.open), "slept on");
        kernel::close(10);
        kernel::arrive(pipe.open, EPOLLIN);
        assert_eq!(other.join().expect("no panic"), 1);
        assert!(!kernel::is_slept_on(polled.open), "slept on");
    }
);
