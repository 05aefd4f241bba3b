//! Places are added, moved, lent and given back.

use super::*;
use crate::hot::slot::EDGE_BITS;
use crate::hot::BUSY_UNITS;

#[test]
fn a_place_that_goes_is_filled_by_the_last_one() {
    let mut hot = Hot::default();
    for id in 0..3 {
        assert_eq!(hot.add(id, 10 + id as i32, EPOLLIN), id);
    }
    assert_eq!(hot.remove(0), Some(2));
    assert_eq!(hot.fds.iter().map(|pollfd| pollfd.fd).collect::<Vec<_>>(), [12, 11]);
    assert_eq!(hot.remove(1), None);
    assert_eq!(hot.ids(), [2]);
}

#[test]
fn an_item_removed_during_a_sleep_leaves_the_list_afterwards() {
    let mut hot = Hot::default();
    for id in 0..4 {
        hot.add(id, 10 + id as i32, EPOLLIN);
    }
    let fds = hot.lend();
    hot.remove(0);
    hot.remove(3);
    let mut places = Vec::new();
    hot.give_back(fds, |id, place| places.push((id, place)));
    assert_eq!(hot.ids(), [2, 1]);
    assert_eq!(places, [(2, 0)]);
    assert_eq!(hot.fds.iter().map(|pollfd| pollfd.fd).collect::<Vec<_>>(), [12, 11]);
}

#[test]
fn only_those_that_are_attached_again_and_still_there_are_leaving() {
    let mut hot = Hot::default();
    for id in 0..3 {
        hot.add(id, 10 + id as i32, EPOLLIN);
    }
    (1..3).for_each(|place| hot.change(place, |slot| slot.take(Event::Quiet)));
    let _fds = hot.lend();
    hot.remove(1);
    assert_eq!(hot.leaving(), [2]);
}

#[test]
fn a_silenced_item_is_asked_for_nothing() {
    let mut hot = Hot::default();
    hot.add(0, 10, EPOLLIN | EPOLLONESHOT);
    hot.change(0, |slot| slot.events &= EP_PRIVATE_BITS);
    assert!(hot.fds[0].fd < 0);
    hot.change(0, |slot| slot.events = EPOLLOUT);
    assert_eq!((hot.fds[0].fd, hot.fds[0].events), (10, EPOLLOUT as i16));
}

#[test]
fn a_reported_edge_is_not_asked_for_until_it_has_fallen() {
    let mut hot = Hot::default();
    hot.add(0, 10, EPOLLIN | EPOLLOUT | EPOLLET);
    hot.reported(0, EPOLLIN | EPOLLOUT | EPOLLET, EPOLLIN | EPOLLOUT, None);
    assert_eq!(hot.fds[0].events as u32, EDGE_BITS);
    hot.change(0, |slot| slot.seen &= !EPOLLIN);
    assert_eq!(hot.fds[0].events as u32, EPOLLIN | EDGE_BITS);
}

#[test]
#[cfg_attr(miri, ignore = "Miri's clock is too fast for a set to be busy")]
fn a_set_is_busy_by_the_second_thousand() {
    let mut hot = Hot::default();
    (0..BUSY_UNITS - 1).for_each(|_| hot.count(1));
    assert!(!hot.has_room());
    (0..=BUSY_UNITS).for_each(|_| hot.count(1));
    assert!(hot.has_room());
    hot.reset_load();
    assert!(!hot.has_room());
}
