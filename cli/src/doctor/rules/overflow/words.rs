//! What a finding says of a queue: numbers, evidence, and advice that fits.

use super::Listener;
use crate::replay::World;
use crate::text::units::{count, percent};

/// A loop that sleeps less than this part of the time has none left.
const BUSY: f64 = 0.2;
/// listen(2)'s backlog in much code and many examples; more costs nothing.
const USUAL: u32 = 128;

pub fn words(listener: &Listener) -> String {
    let Listener { looks, full, dropped, most, .. } = listener;
    let (looks, full, most) = (count(*looks), count(*full), count(u64::from(*most)));
    let dropped = match dropped {
        0 => String::new(),
        1 => ", 1 attempt to connect dropped".into(),
        n => format!(", {} attempts to connect dropped", count(*n)),
    };
    match listener.full {
        0 => format!("accept queue of {most} was full between {looks} looks{dropped}"),
        _ => format!("accept queue {most} of {most} at {full} of {looks} looks{dropped}"),
    }
}

/// How much of the time the loop slept, while the queue was full or had dropped connections.
fn slept(world: &World, listener: &Listener) -> Option<f64> {
    let is_known = listener.epoll.and_then(|epoll| world.set(epoll)).is_some_and(|set| set.turns > 0);
    (is_known && listener.bad_ns > 0).then(|| listener.waited_ns as f64 / listener.bad_ns as f64)
}

pub fn evidence(world: &World, listener: &Listener, taken: u64, told: u64) -> Vec<String> {
    let set = listener.epoll.map_or_else(|| "a set".into(), |epoll| world.set_name(epoll));
    let each_second = taken as f64 * 1e9 / listener.bad_ns.max(1) as f64;
    let mut first = match taken {
        0 => format!("in {set}; nothing was accepted meanwhile"),
        _ if told > 0 => format!(
            "in {set}; accepted {}/s meanwhile, {:.1} for each time that a wait told of it",
            count(each_second as u64),
            taken as f64 / told as f64
        ),
        _ => format!("in {set}; accepted {}/s meanwhile", count(each_second as u64)),
    };
    if listener.aside > 0 {
        first += &format!(
            "; out of the set or without EPOLLIN at {} of the looks at which it was full",
            count(listener.aside)
        );
    }
    let slept =
        slept(world, listener).map(|part| format!("the loop slept {} of that time", percent(part.min(1.0))));
    let bursts = (listener.full == 0).then(|| match listener.bursts {
        0 | 1 => "all of them in one burst".into(),
        n => format!("some at each of {} moments", count(n)),
    });
    [first].into_iter().chain(slept).chain(bursts).collect()
}

pub fn backlog(most: u32, limit: Option<u32>) -> String {
    let backlog = format!("its backlog is {}", count(u64::from(most)));
    match limit {
        Some(limit) if limit == most => format!("{backlog}: net.core.somaxconn allows no more"),
        Some(limit) if limit > most => {
            format!("{backlog}, by listen(2); net.core.somaxconn allows {}", count(u64::from(limit)))
        }
        _ => backlog,
    }
}

/// What to do, if the record tells more than that the queue is full.
pub fn advice(
    world: &World,
    listener: &Listener,
    is_slow: bool,
    taken: u64,
    told: u64,
) -> Option<&'static str> {
    let is_busy = slept(world, listener).is_some_and(|part| part < BUSY);
    if listener.is_aside() {
        Some("The program takes no connections on purpose, and its clients wait: raise its limit of connections, or accept and close those that it will not serve.")
    } else if is_slow {
        Some("Shorten what the loop does between two waits: a larger backlog would only let more clients wait for it.")
    } else if taken == 0 {
        Some("Accept from the listener until EAGAIN each time that a wait tells of it.")
    } else if is_busy && told > 0 && taken < told * 2 {
        Some("Accept more than one connection each time that a wait tells of the listener, until EAGAIN or a bounded number; if that is not enough, accept in more threads or processes.")
    } else if is_busy {
        Some("The loop has no time left: accept in more threads or processes, with a listener each by SO_REUSEPORT; a larger backlog would only let more clients wait.")
    } else if listener.most < USUAL {
        Some("The loop has time, and the queue is short: give listen(2) a larger backlog (SOMAXCONN).")
    } else {
        None
    }
}
