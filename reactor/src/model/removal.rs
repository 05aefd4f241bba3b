//! Items go while their files become ready.

use super::world::{Count, Fake, Set};
use super::{model, spawn};
use crate::eventpoll::release_file;
use crate::uapi::*;

model!(
    /// A wakeup that may be an end asks the file, which shows that the wakeup is under way.
    after_a_removal_no_callback_runs_for_the_item,
    Some(3),
    [the_head_is_left_unlocked => "asked after its removal"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, 0);
        let other = {
            let file = file.clone();
            spawn(move || file.file.wake(READ_SIDE))
        };
        set.ctl(EPOLL_CTL_DEL, &file.file, 0);
        file.is_gone();
        other.join().expect("no panic");
        assert!(set.ep.is_empty());
    }
);

model!(
    after_a_release_no_set_knows_the_file,
    Some(2),
    [the_head_is_left_unlocked => "asked after its removal", a_release_waits_for_nobody => "a number in use"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, 0);
        file.rise(EPOLLHUP);
        let other = {
            let file = file.clone();
            spawn(move || file.file.wake(READ_SIDE))
        };
        let scan = {
            let set = set.clone();
            spawn(move || set.take().len())
        };
        assert_eq!(release_file(&file.file), 1);
        file.is_gone();
        other.join().expect("no panic");
        assert!(scan.join().expect("no panic") <= 1);
        assert!(set.take().is_empty() && set.ep.is_empty() && file.file.wait_head().is_empty());
    }
);

model!(
    a_poller_that_has_left_is_woken_no_more,
    Some(3),
    [the_head_is_left_unlocked_to_pollers => "woken after it left"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        let waiter = set.waiter();
        file.file.wait_head().add_poller(waiter.clone());
        let other = {
            let file = file.clone();
            spawn(move || file.rise(EPOLLIN))
        };
        file.file.wait_head().remove_poller(&waiter);
        waiter.reset();
        other.join().expect("no panic");
        assert!(!waiter.is_woken(), "woken after it left");
    }
);
