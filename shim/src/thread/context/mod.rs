//! Inside or outside: the one place that decides how our critical sections coexist with the program's
//! signal handlers and with fork.
//!
//! A thread is *inside* from `enter` until the guard is dropped, and *outside* while it sleeps. It is
//! *covered* as long as its stack has frames of ours that must not be unwound by force
//! (`thread::guarded`), so also while it sleeps in a wait.
//!
//! - **Signal handlers** of the program run behind a trampoline (`signal::trampoline`). If it finds the interrupted
//!   thread inside or covered, it queues the signal to the thread again, blocks all signals on return, and ends the
//!   wait that the thread may be in. The thread unblocks the signals when it is no longer covered. So a handler never
//!   runs on top of us: it may make any call, run for long, and leave by siglongjmp or pthread_exit. As in the kernel,
//!   it runs after the wait.
//! - **fork** waits until no other thread is inside, so in the child no lock of ours is held.
//! - **Our own calls** that come back through an interposed name find the thread inside and go straight
//!   to libc (`enter` returns None).
//!
//! Costs two stores and two loads. The store on the way in is a full fence.
//!
//! `gate` is the way in and out, `threads` the list of the threads that have been inside, `cover` holds signals back,
//! `waiting` is a thread in a wait, `forking` keeps all other threads outside.
//!
//! Locks: `threads` has one, held for a look and across a fork. `gate::ALONE` is taken before it.

mod cover;
mod forking;
mod gate;
mod threads;
mod waiting;

pub use cover::{cover, let_signals_in, meets, our_signal, run_to_the_end, uncover, Meeting, ALL_SIGNALS};
pub use forking::{
    be_in_order, fork_begins, fork_done, go_outside_after_fork, is_forking, leave_child_as_is, mend_fork,
    step_in, step_out,
};
pub use gate::{
    abandon, adopt_on_entry, be_known, call_at_thread_end, enter, enter_as_is, enter_unless_early, escape,
    is_early_child, is_on_the_stack, jumps, may_stay_outside, pass_by_when_closed, wait_for_adoption,
};
pub use waiting::{
    cancel, come_back, give_mask_back, is_cancelled, is_waiting, leave, outer_waiter, take_cancelled,
    take_mask, waiter, was_our_signal, Part, Waiting, SLEEPERS,
};

use super::state::{Thread, FORKS, OUTSIDE};
use super::tls::with_thread;
use cover::covered;
use gate::{go_inside, go_outside, Wants, ALONE, ALONE_IS, FORKING, GATE, HELD};
use threads::THREADS;
