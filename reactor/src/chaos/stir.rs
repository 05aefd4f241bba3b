//! What a delivery is to find on the ready list: some kept back, the others in another order, and not all of them.

use glasspoll_record::event::Injection;

use crate::chaos::Plan;
use crate::eventpoll::{Eventpoll, Ready};

/// How long a wait pauses that has nothing but what it keeps back.
const PAUSE_NS: u64 = 1_000_000;

impl Eventpoll {
    /// Stirs what a scan has begun with. Returns how many events are to be delivered at most.
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
    if !plan.held.is_empty() {
        return;
    }
    let Some(drawn) = plan.draw(Injection::Coalesce, 0) else { return };
    let mut edges: Vec<u32> = Vec::new();
    for id in queued.iter() {
        let item = ready.list.get(*id).filter(|item| item.is_edge() && !item.is_disarmed());
        if item.is_some_and(|item| !plan.held_before.contains(&item.serial)) {
            edges.push(*id);
        }
    }
    if edges.is_empty() {
        return;
    }
    // One at least, and of the others as it comes.
    let sure = drawn as usize % edges.len();
    for (nth, id) in edges.into_iter().enumerate() {
        if nth != sure && plan.bits(drawn, nth as u32) & 1 == 0 {
            continue;
        }
        let Some(item) = ready.list.get(id) else { continue };
        let (serial, fd, events) = (item.serial, item.fd, item.events);
        // As what a delivery puts back: first in the next one, after what it leaves.
        ready.list.unlink(id);
        ready.list.add_tail(id);
        queued.retain(|other| *other != id);
        plan.held.push(serial);
        plan.note(Injection::Coalesce, fd, events);
    }
    if queued.is_empty() {
        plan.pause = Some(PAUSE_NS);
    }
}

fn reorder(ready: &mut Ready, plan: &mut Plan, queued: &mut [u32]) {
    if queued.len() < 2 {
        return;
    }
    let Some(drawn) = plan.draw(Injection::Reorder, 0) else { return };
    let before = queued.to_vec();
    for last in (1..queued.len()).rev() {
        let other = plan.bits(drawn, last as u32) as usize % (last + 1);
        queued.swap(last, other);
    }
    for id in queued.iter().rev() {
        ready.list.unlink(*id);
        ready.list.tx_push_front(*id);
    }
    plan.moved = queued.iter().zip(&before).filter(|(now, before)| now != before).count() as u32;
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
