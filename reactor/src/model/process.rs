//! A process with a watch over files of the kernel of the models.

use std::sync::LazyLock;

use super::kernel::{self, Sort};
use super::world::{Buffer, Count, Set};
use super::{join_helpers, spawn};
use crate::file::{Backing, File};
use crate::hot::Limits;
use crate::shared::{Config, Shared};
use crate::sync::Arc;
use crate::uapi::*;
use crate::watch::{DrainHint, FileKind, Host, KernelFile, Ownership, Watch, WATCH};

/// A program that does not report its reads and writes.
struct Silent;

impl Host for Silent {
    fn leave(&self) {}
    fn enter(&self) {}
    fn take_mask(&self, _mask: u64) {}
    fn give_mask_back(&self) {}
    fn was_our_signal(&self) -> bool {
        false
    }
    fn wants_io(&self, _device: &KernelFile) {}
    fn wants_drain_hints(&self, _device: &KernelFile) {}
    fn take_drain_hint(&self, _fd: i32) -> DrainHint {
        DrainHint::default()
    }
    fn protect(&self, _fd: i32) {}
    fn say(&self, what: &str) {
        panic!("{what}");
    }
}

/// All items are hot from the start, if they may be.
static HOT: LazyLock<Shared> = LazyLock::new(|| with(Limits { most: 512, always: true }));
/// No item is ever hot.
static COLD: LazyLock<Shared> = LazyLock::new(|| with(Limits { most: 0, always: false }));

fn with(hot: Limits) -> Shared {
    Shared::new(Config { hot, ..Config::default() })
}

/// The process of one execution. When it is dropped, all threads except the helper have ended.
pub(super) struct Process {
    count: Count,
    shared: &'static Shared,
    watch: *mut Watch,
}

impl Process {
    /// `is_hot`: items are hot from the start, if they may be. Otherwise no item ever is.
    pub(super) fn new(is_hot: bool) -> Self {
        let shared: &'static Shared = if is_hot { &HOT } else { &COLD };
        let count = Count::new();
        let watch = Watch::new(&Silent, count.get(), shared, 64);
        watch.complete().expect("descriptors");
        let watch = Box::into_raw(Box::new(watch));
        WATCH.put(watch);
        Self { count, shared, watch }
    }

    pub(super) fn watch(&self) -> &'static Watch {
        WATCH.wait()
    }

    pub(super) fn set(&self) -> Set {
        Set::of(self.shared, &self.count)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // The helper sees that no thread sleeps, and ends by itself.
        self.watch().retire_helper();
        join_helpers();
        assert!(!self.count.get().any(), "nobody sleeps any more");
        WATCH.put(std::ptr::null_mut());
        // SAFETY: all threads have ended.
        drop(unsafe { Box::from_raw(self.watch) });
    }
}

/// A file of the kernel's.
#[derive(Clone)]
pub(super) struct Pipe {
    pub(super) file: Arc<File>,
    pub(super) open: usize,
}

impl Pipe {
    /// A file of this process alone, whose signals report every wakeup.
    pub(super) fn new(fd: i32) -> Self {
        Self::of(fd, Sort::Pipe, KernelFile::new(fd, Ownership::Alone))
    }

    /// A file that another process has too, so it is polled.
    pub(super) fn shared(fd: i32) -> Self {
        Self::of(fd, Sort::Pipe, KernelFile::new(fd, Ownership::Shared))
    }

    /// A file whose items may be hot at once.
    pub(super) fn known(fd: i32, sort: Sort) -> Self {
        let kind = if sort == Sort::Tcp { FileKind::InetStream } else { FileKind::Pipe };
        Self::of(fd, sort, KernelFile::of_kind(fd, kind))
    }

    fn of(fd: i32, sort: Sort, device: KernelFile) -> Self {
        let open = kernel::open(fd, sort);
        Self { file: File::new(fd, Backing::Kernel(device)), open }
    }

    /// Something arrives, from another thread.
    pub(super) fn arrives(&self) -> loom::thread::JoinHandle<()> {
        let open = self.open;
        spawn(move || kernel::arrive(open, EPOLLIN))
    }
}

impl Set {
    /// Waits without a time-out.
    pub(super) fn wait_in(&self, process: &Process) -> Vec<(u64, u32)> {
        self.wait_for(process.watch(), None)
    }

    pub(super) fn wait_for(&self, watch: &'static Watch, time: Option<u64>) -> Vec<(u64, u32)> {
        self.wait_by(&watch, &self.waiter(), time).expect("no interruption")
    }

    /// How many events a wait that does not sleep finds.
    pub(super) fn now(&self, watch: &'static Watch) -> usize {
        let mut sink = Buffer(Vec::new());
        self.ep.wait_now(&watch, &mut sink, 8).expect("room")
    }

    /// The same in another thread.
    pub(super) fn waits(&self, process: &Process, time: Option<u64>) -> loom::thread::JoinHandle<usize> {
        let (set, watch) = (self.clone(), process.watch());
        spawn(move || set.wait_for(watch, time).len())
    }
}
