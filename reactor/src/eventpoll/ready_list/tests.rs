use super::*;

fn ready(list: &mut ReadyList<u8>) -> Vec<u32> {
    let mut order = Vec::new();
    list.start_scan();
    let mut at = list.tx_first();
    while let Some(id) = at {
        order.push(id);
        at = list.tx_next(id);
    }
    list.done_scan();
    order
}

#[test]
fn an_item_on_no_list_takes_little() {
    assert_eq!(size_of::<Option<Node<crate::eventpoll::epitem::Epitem>>>(), 56);
}

#[test]
fn an_item_that_rests_comes_back_to_its_place_once() {
    let mut list = ReadyList::default();
    let ids: Vec<u32> = (0..3).map(|n| list.insert(n)).collect();
    let settle = |list: &mut ReadyList<u8>| {
        list.add_tail(ids[0]);
        list.settle(ids[0]);
    };
    settle(&mut list);
    assert_eq!(list.settled_alone(), Some(ids[0]));
    list.rest(ids[0]);
    assert!(!list.any_ready());
    assert_eq!([ids[1], ids[0], ids[2]].map(|id| list.queue(id)), [Queued::Ready; 3]);
    assert_eq!(ready(&mut list), ids, "it is the first");
    ids.iter().for_each(|id| list.unlink(*id));

    settle(&mut list);
    list.rest(ids[0]);
    list.end_rest();
    assert_eq!([ids[1], ids[0]].map(|id| list.queue(id)), [Queued::Ready; 2]);
    assert_eq!(ready(&mut list), [ids[1], ids[0]], "the rest was over");
    ids.iter().for_each(|id| list.unlink(*id));

    settle(&mut list);
    assert_eq!(list.queue(ids[0]), Queued::Already);
    assert_eq!(list.settled_alone(), None, "a wakeup came");
    list.settle(ids[0]);
    assert_eq!(list.queue(ids[1]), Queued::Ready);
    assert_eq!(list.settled_alone(), None, "it is not the only one");
    ready(&mut list);
    list.unlink(ids[1]);
    assert_eq!(list.settled_alone(), None, "another delivery has begun");
    list.settle(ids[0]);
    list.rest(ids[0]);
    list.remove(ids[0]);
    assert_eq!(list.insert(7), ids[0]);
    assert_eq!([ids[1], ids[0]].map(|id| list.queue(id)), [Queued::Ready; 2]);
    assert_eq!(ready(&mut list), [ids[1], ids[0]], "another item has its number");
}

#[test]
fn wakeups_queue_in_order_and_once() {
    let mut list = ReadyList::default();
    let ids: Vec<u32> = (0..3).map(|n| list.insert(n)).collect();
    assert_eq!(list.queue(ids[2]), Queued::Ready);
    assert_eq!(list.queue(ids[0]), Queued::Ready);
    assert_eq!(list.queue(ids[2]), Queued::Already);
    assert_eq!([0, 1, 2, 8].map(|most| list.count_ready(most)), [0, 1, 2, 2]);
    assert_eq!(ready(&mut list), [ids[2], ids[0]]);
}

#[test]
fn what_arrives_in_a_scan_goes_between_the_rest_and_what_is_put_back() {
    let mut list = ReadyList::default();
    let ids: Vec<u32> = (0..5).map(|n| list.insert(n)).collect();
    for id in &ids[..3] {
        list.queue(*id);
    }
    list.start_scan();
    list.unlink(ids[0]);
    assert_eq!(list.queue(ids[4]), Queued::Overflow);
    assert_eq!(list.queue(ids[3]), Queued::Overflow);
    assert_eq!(list.queue(ids[4]), Queued::Already);
    assert_eq!(list.queue(ids[1]), Queued::Overflow);
    list.add_tail(ids[0]);
    list.done_scan();
    assert_eq!(ready(&mut list), [ids[1], ids[2], ids[4], ids[3], ids[0]]);
}

#[test]
fn an_item_woken_while_it_is_delivered_is_queued_once_more() {
    let mut list = ReadyList::default();
    let id = list.insert(0);
    list.queue(id);
    list.start_scan();
    list.unlink(id);
    assert_eq!(list.queue(id), Queued::Overflow);
    list.done_scan();
    assert_eq!(ready(&mut list), [id]);
}

#[test]
fn removal_takes_an_item_off_its_list() {
    let mut list = ReadyList::default();
    let ids: Vec<u32> = (0..3).map(|n| list.insert(n)).collect();
    for id in &ids {
        list.queue(*id);
    }
    assert_eq!(list.remove(ids[1]), 1);
    assert_eq!(ready(&mut list), [ids[0], ids[2]]);
    list.remove(ids[0]);
    list.remove(ids[2]);
    assert!(!list.events_available());
    assert!(list.is_empty());
}
