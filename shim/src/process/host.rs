//! What the reactor asks of the program that it lives in.

use glasspoll_reactor::watch::{DrainHint, Host, KernelFile};

use crate::fdtable::{self, drain_hints};
use crate::process::options::complain;
use crate::process::state::may_make_a_thread;
use crate::thread::context;

/// The program's threads and descriptors as the reactor's `Host`: a thread sleeps outside.
pub struct ProgramHost;

impl Host for ProgramHost {
    fn leave(&self) {
        context::leave();
    }

    fn take_mask(&self, mask: u64) {
        context::take_mask(mask);
    }

    fn give_mask_back(&self) {
        context::give_mask_back();
    }

    fn enter(&self) {
        context::come_back();
    }

    fn wants_io(&self, device: &KernelFile) {
        fdtable::note_io(device);
    }

    fn wants_drain_hints(&self, device: &KernelFile) {
        fdtable::note_io(device);
    }

    fn take_drain_hint(&self, fd: i32) -> DrainHint {
        drain_hints::take(fd)
    }

    fn forget_reads(&self) {
        drain_hints::forget();
    }

    fn has_emptied(&self, fd: i32) -> bool {
        drain_hints::has_emptied(fd)
    }

    fn protect(&self, fd: i32) {
        fdtable::protect(fd);
    }

    fn may_make_a_thread(&self) -> bool {
        may_make_a_thread()
    }

    fn say(&self, what: &str) {
        complain(what);
    }

    fn was_our_signal(&self) -> bool {
        context::was_our_signal()
    }
}
