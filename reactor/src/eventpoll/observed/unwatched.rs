//! The device of a file in a set of the kernel's: the kernel watches it, so we do nothing.

use crate::file::Device;
use crate::sync::global::AtomicBool;
use crate::sync::Ordering;

/// A file that we do not watch.
#[derive(Debug, Default)]
pub struct Unwatched {
    /// Another process may have the file.
    shared: AtomicBool,
    /// How many children and programs this process had made when it got the file.
    inheritors: [u32; 2],
}

impl Unwatched {
    /// A file of this process. `inheritors`: how many children and programs the process has made until now.
    pub fn new(inheritors: [u32; 2]) -> Self {
        Self { shared: AtomicBool::new(false), inheritors }
    }

    /// How many children and programs this process had made when it got the file.
    pub fn inheritors_then(&self) -> [u32; 2] {
        self.inheritors
    }

    /// From now on another process may have the file.
    pub fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }
}

impl Device for Unwatched {
    fn poll(&self, _mask: u32) -> u32 {
        0
    }

    fn may_live_on(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }
}
