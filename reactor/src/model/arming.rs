//! Files are armed and disarmed while their signals are in flight.

use super::process::{Pipe, Process};
use super::{kernel, model, spawn};
use crate::eventpoll::Eventpoll;
use crate::sync::Arc;
use crate::uapi::*;
use crate::watch::KernelFile;

model!(
    a_wakeup_while_a_file_is_armed_is_delivered,
    Some(4),
    [armed_and_not_asked => "deadlock"],
    || {
        let process = Process::new(false);
        let (set, pipe) = (process.set(), Pipe::new(10));
        let other = pipe.arrives();
        set.add(&pipe.file, EPOLLIN);
        assert_eq!(set.wait_in(&process), [(10, EPOLLIN)]);
        other.join().expect("no panic");
    }
);

model!(
    a_wakeup_while_a_file_is_disarmed_and_armed_again_is_delivered,
    Some(3),
    [armed_and_not_asked => "deadlock"],
    || {
        let process = Process::new(false);
        let (set, pipe) = (process.set(), Pipe::new(10));
        set.add(&pipe.file, EPOLLIN | EPOLLET);
        let other = pipe.arrives();
        set.ctl(EPOLL_CTL_DEL, &pipe.file, 0);
        assert!(!kernel::is_armed(pipe.open));
        set.add(&pipe.file, EPOLLIN | EPOLLET);
        assert_eq!(set.wait_in(&process), [(10, EPOLLIN)]);
        other.join().expect("no panic");
    }
);

/// The device of a pipe.
fn device(pipe: &Pipe) -> &KernelFile {
    pipe.file.device_as().expect("a file of the kernel's")
}

model!(
    /// The first file lost the fd by which it is armed to the second file, and lives on under another fd.
    two_files_that_signal_one_fd_are_both_delivered,
    Some(2),
    [a_claim_takes_from_another => "deadlock"],
    || {
        let process = Process::new(false);
        let (set, first) = (process.set(), Pipe::new(10));
        set.ctl_as(EPOLL_CTL_ADD, &first.file, EPOLLIN | EPOLLET, 1);
        kernel::renumber(11, first.open);
        device(&first).moved(&first.file, 11);
        kernel::close(10);
        let second = Pipe::new(10);
        let others = [first.arrives(), second.arrives()];
        set.ctl_as(EPOLL_CTL_ADD, &second.file, EPOLLIN | EPOLLET, 2);
        let mut told = [false; 2];
        while told != [true; 2] {
            set.wait_in(&process).iter().for_each(|(data, _)| told[*data as usize - 1] = true);
        }
        others.into_iter().for_each(|other| other.join().expect("no panic"));
    }
);

model!(
    when_the_signal_queue_runs_over_every_file_is_asked,
    Some(2),
    [an_overflow_is_forgotten => "deadlock"],
    || {
        let process = Process::new(false);
        kernel::room(1);
        let (set, a, b) = (process.set(), Pipe::new(10), Pipe::new(11));
        for pipe in [&a, &b] {
            set.add(&pipe.file, EPOLLIN | EPOLLET);
        }
        let others = [a.arrives(), b.arrives()];
        let mut told = [false; 2];
        while told != [true; 2] {
            set.wait_in(&process).iter().for_each(|(fd, _)| told[*fd as usize - 10] = true);
        }
        others.into_iter().for_each(|other| other.join().expect("no panic"));
    }
);

model!(
    /// `wait_now` may skip draining only if no other thread is draining a wakeup.
    a_wait_of_0_finds_what_came_before_it,
    Some(3),
    [no_news_asks_nobody => "it was there"],
    || {
        let process = Process::new(false);
        let watch = process.watch();
        let (set, pipe) = (process.set(), Pipe::new(10));
        set.add(&pipe.file, EPOLLIN);
        assert_eq!(set.now(watch), 0);
        let other = spawn(move || watch.drain_wakeups());
        kernel::arrive(pipe.open, EPOLLIN);
        assert_eq!(set.now(watch), 1, "it was there");
        other.join().expect("no panic");
    }
);

model!(
    /// The poller found the file ready. Then the item was removed, and another item has its id.
    a_wakeup_that_was_found_by_asking_reaches_no_later_item,
    Some(3),
    [a_callback_trusts_the_number => "a ghost"],
    || {
        let process = Process::new(false);
        let watch = process.watch();
        let (set, polled, other) = (process.set(), Pipe::shared(10), Pipe::new(11));
        set.add(&polled.file, EPOLLIN);
        kernel::arrive(polled.open, EPOLLIN);
        let asker = spawn(move || watch.drain_wakeups());
        set.ctl(EPOLL_CTL_DEL, &polled.file, 0);
        set.add(&other.file, EPOLLIN);
        asker.join().expect("no panic");
        let is_queued = |ep: &Arc<Eventpoll>| ep.lock.lock().list.any_ready();
        assert!(!is_queued(&set.ep), "a ghost");
    }
);
