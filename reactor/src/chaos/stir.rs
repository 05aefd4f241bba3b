//! Changes what a delivery finds on the ready list: holds some items back, reorders the others, and shortens
//! the batch.

use glasspoll_record::event::Injection;

use crate::chaos::Plan;
use crate::eventpoll::{Eventpoll, Ready};
use crate::hash::Set;

impl Eventpoll {
    /// Changes the list of a scan that has just begun. Returns the largest number of events to deliver.
    pub(crate) fn stir(&self, ready: &mut Ready, plan: &mut Plan, maxevents: usize) -> usize {
        let mut queued = Vec::new();
        let mut at = ready.list.tx_first();
        while let Some(id) = at {
            queued.push(id);
            at = ready.list.tx_next(id);
        }
        hold_back(ready, plan, &mut queued);
        reorder(ready, plan, &mut queued);
        shorten(plan, queued.len(), maxevents)
    }
}

fn hold_back(ready: &mut Ready, plan: &mut Plan, queued: &mut Vec<u32>) {
    if plan.has_held {
        return;
    }
    let Some(drawn) = plan.draw(Injection::Coalesce, 0) else { return };
    let is_edge = |id: &u32| ready.list.get(*id).is_some_and(|item| item.is_edge() && !item.is_disarmed());
    let edges: Vec<u32> = queued.iter().copied().filter(is_edge).collect();
    if edges.is_empty() {
        return;
    }
    // At least one, and a random choice of the others.
    let sure = drawn as usize % edges.len();
    let mut held = Set::default();
    for (nth, id) in edges.into_iter().enumerate() {
        if nth != sure && plan.bits(drawn, nth as u32) & 1 == 0 {
            continue;
        }
        let Some(item) = ready.list.get(id).filter(|item| plan.hold(item.serial)) else { continue };
        plan.note(Injection::Coalesce, item.fd, item.events);
        // Like an item that a delivery puts back.
        ready.list.unlink(id);
        ready.list.add_tail(id);
        held.insert(id);
    }
    queued.retain(|id| !held.contains(id));
}

/// Reorders items that came to the list in the same wait. Earlier ones stay first, so that every item gets its
/// turn.
fn reorder(ready: &mut Ready, plan: &mut Plan, queued: &mut Vec<u32>) {
    if queued.len() < 2 {
        return;
    }
    let Some(drawn) = plan.draw(Injection::Reorder, 0) else { return };
    let serials: Vec<u64> =
        queued.iter().map(|id| ready.list.get(*id).map_or(0, |item| item.serial)).collect();
    let since = plan.since(&serials);
    let mut places: Vec<usize> = (0..queued.len()).collect();
    for last in (1..places.len()).rev() {
        let other = plan.bits(drawn, last as u32) as usize % (last + 1);
        places.swap(last, other);
    }
    places.sort_by_key(|place| since[*place]);
    plan.moved = places.iter().enumerate().filter(|(now, before)| now != *before).count() as u32;
    *queued = places.iter().map(|place| queued[*place]).collect();
    for id in queued.iter().rev() {
        ready.list.unlink(*id);
        ready.list.tx_push_front(*id);
    }
}

fn shorten(plan: &mut Plan, queued: usize, maxevents: usize) -> usize {
    let most = queued.min(maxevents);
    if most < 2 {
        return maxevents;
    }
    let Some(drawn) = plan.draw(Injection::Short, 0) else { return maxevents };
    let few = 1 + drawn as usize % (most - 1);
    plan.left = (queued - few) as u32;
    few
}
