//! A kernel for models: open files, the signal queue, the sleepers, behind one lock. It has the system calls
//! that the reactor makes. Any other call fails the model.
//!
//! A file becomes ready in two steps, as in the kernel: first a poll finds it ready, then the signal is queued.
//! A time-out comes at any moment at which another thread has run.

mod calls;
mod files;
pub(crate) mod futex;
mod signals;

use std::collections::{BTreeMap, VecDeque};

use loom::sync::{Condvar, Mutex, MutexGuard};

use crate::sync::Arc;

pub(crate) use calls::syscall;
pub use files::*;

/// What a sleeper sleeps on.
#[derive(Debug, PartialEq)]
pub(super) enum Sleep {
    /// The address of a futex.
    Futex(usize),
    /// Open files, with the events that end it.
    Poll(Vec<(usize, u32)>),
}

#[derive(Debug)]
struct Sleeper {
    serial: u64,
    on: Sleep,
    bell: Arc<Condvar>,
    woken: bool,
}

/// All of its state.
#[derive(Debug, Default)]
pub(super) struct State {
    numbers: BTreeMap<i32, usize>,
    open: Vec<Open>,
    /// The fd and the band.
    signals: VecDeque<(i32, u32)>,
    /// How many signals the queue holds. Beyond that there is one SIGIO.
    room: Option<usize>,
    sigio: bool,
    sleepers: Vec<Sleeper>,
    serial: u64,
    now: u64,
}

loom::lazy_static! {
    static ref KERNEL: Mutex<State> = Mutex::new(State { now: 1, ..State::default() });
}

/// Sets how many signals the queue holds.
pub fn room(room: usize) {
    lock().room = Some(room);
}

type Held = MutexGuard<'static, State>;

fn lock() -> Held {
    KERNEL.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The clock, which moves when a sleep times out.
pub(crate) fn now() -> u64 {
    lock().now
}

/// Sleeps until `wake` or the time-out. Returns whether `wake` ended the sleep.
fn sleep(mut state: Held, on: Sleep, time: Option<u64>) -> (Held, bool) {
    state.serial += 1;
    let serial = state.serial;
    let bell = Arc::new(Condvar::new());
    state.sleepers.push(Sleeper { serial, on, bell: bell.clone(), woken: false });
    let at = |state: &State| state.sleepers.iter().position(|sleeper| sleeper.serial == serial);
    if let Some(time) = time {
        drop(state);
        loom::thread::yield_now();
        state = lock();
        let woken = at(&state).is_some_and(|at| state.sleepers[at].woken);
        if !woken {
            state.now += time.min(1 << 40);
        }
    } else {
        while !at(&state).is_some_and(|at| state.sleepers[at].woken) {
            state = bell.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
    let sleeper = at(&state).map(|at| state.sleepers.remove(at));
    (state, sleeper.is_some_and(|sleeper| sleeper.woken))
}

impl State {
    /// Wakes up to `most` sleepers that `is_it`. Returns how many.
    fn wake(&mut self, most: usize, is_it: impl Fn(&Sleep) -> bool) -> usize {
        let mut count = 0;
        for sleeper in self.sleepers.iter_mut().filter(|sleeper| !sleeper.woken && is_it(&sleeper.on)) {
            if count == most {
                break;
            }
            count += 1;
            sleeper.woken = true;
            sleeper.bell.notify_one();
        }
        count
    }
}
