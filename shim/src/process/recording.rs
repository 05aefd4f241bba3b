//! When this process records: from its first set on.

use std::sync::atomic::{AtomicBool, Ordering};

use glasspoll_reactor::sync::Mutex;

use crate::fdtable;
use crate::process::options::{complain, Engine};
use crate::process::record::{self, Begun};
use crate::process::state::{engine, INERT, OPTIONS};

/// Whether this process, or the one that it was forked from, has had a set.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Held while a thread begins or ends it.
static CHANGES: Mutex<()> = Mutex::new(());

/// Called at each set. The first one starts the record by `begin`, and the others wait for that.
pub(super) fn begin(begin: impl FnOnce()) {
    if !has_started() {
        let _changes = CHANGES.lock();
        if !has_started() {
            begin();
            STARTED.store(true, Ordering::SeqCst);
        }
    }
}

/// Whether this process, or the one that it was forked from, has had a set.
pub(super) fn has_started() -> bool {
    STARTED.load(Ordering::SeqCst)
}

/// Starts the record. `exact`: a thread watches all the time. `forked`: it has sets of its parent's.
pub(super) fn begin_record(exact: bool, forked: bool) {
    if let Some(options) = OPTIONS.get() {
        let observed = engine() == Engine::Observe;
        record::start(options, Begun { exact, forked, observed });
    }
}

/// Called before a set of the kernel's is entered: the first one starts the record.
pub fn begin_observing() {
    begin(|| {
        fdtable::find_inherited();
        begin_record(false, false);
    });
}

/// Whether there should be a record, and is none.
pub fn lacks_its_record() -> bool {
    OPTIONS.get().is_some_and(|options| options.ring.is_some()) && !record::is_on()
}

/// Ends the record, and forgets all descriptors and sets.
pub fn end_observing() {
    let _changes = CHANGES.lock();
    record::leave();
    fdtable::forget_all();
    STARTED.store(false, Ordering::SeqCst);
}

/// Ends the record without taking a lock: some lock may stay locked for ever.
pub fn give_up() {
    if INERT.swap(true, Ordering::SeqCst) {
        return;
    }
    record::end();
    complain(
        "a signal handler left a call that was being recorded, and did not come back: the record ends here",
    );
}
