//! The memory of a ring in a model: a loom atomic for each word that decides whether a record is whole. The
//! kernel orders one read after another. Within a read, a weak memory returns the words in any order; a strong
//! memory returns each as it is at that moment, which takes far fewer executions.
#![allow(missing_docs, reason = "for models alone")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::ptr;

use loom::sync::atomic::Ordering;

use crate::layout::{self, block, header};
use crate::ring::Source;

pub(crate) use loom::sync::atomic::fence;

macro_rules! word {
    ($name:ident, $atomic:ident, $type:ty) => {
        /// A modelled word, or a plain one.
        #[derive(Debug)]
        pub(crate) enum $name {
            Weak(loom::sync::atomic::$atomic),
            Strong(loom::sync::atomic::$atomic),
            Plain(std::sync::atomic::$atomic),
        }

        impl $name {
            pub(crate) fn load(&self, order: Ordering) -> $type {
                match self {
                    Self::Weak(word) => word.load(order),
                    Self::Strong(word) => word.fetch_add(0, Ordering::AcqRel),
                    Self::Plain(word) => word.load(order),
                }
            }

            pub(crate) fn store(&self, value: $type, order: Ordering) {
                match self {
                    Self::Weak(word) => word.store(value, order),
                    Self::Strong(word) => drop(word.swap(value, Ordering::AcqRel)),
                    Self::Plain(word) => word.store(value, order),
                }
            }

            pub(crate) fn fetch_add(&self, value: $type, order: Ordering) -> $type {
                match self {
                    Self::Weak(word) => word.fetch_add(value, order),
                    Self::Strong(word) => word.fetch_add(value, Ordering::AcqRel),
                    Self::Plain(word) => word.fetch_add(value, order),
                }
            }

            #[allow(dead_code, reason = "for one of the two types")]
            pub(crate) fn swap(&self, value: $type, order: Ordering) -> $type {
                match self {
                    Self::Weak(word) => word.swap(value, order),
                    Self::Strong(word) => word.swap(value, Ordering::AcqRel),
                    Self::Plain(word) => word.swap(value, order),
                }
            }

            fn new(is_weak: Option<bool>) -> Self {
                match is_weak {
                    None => Self::Plain(std::sync::atomic::$atomic::new(0)),
                    Some(true) => Self::Weak(loom::sync::atomic::$atomic::new(0)),
                    Some(false) => Self::Strong(loom::sync::atomic::$atomic::new(0)),
                }
            }
        }
    };
}

word!(Word32, AtomicU32, u32);
word!(Word64, AtomicU64, u64);

/// A ring's memory.
#[derive(Debug)]
pub struct Memory {
    words32: BTreeMap<usize, Word32>,
    words64: BTreeMap<usize, Word64>,
}

/// The address at which the memory seems to begin.
const BASE: usize = 1 << 20;

thread_local! {
    /// All threads of an execution run on one thread of the system.
    static NOW: Cell<*const Memory> = const { Cell::new(ptr::null()) };
}

loom::thread_local! {
    static MARK: u8 = 0;
}

impl Memory {
    /// A ring with this many blocks, for the rest of the execution. It is never dropped.
    pub fn new(blocks: u32, is_weak: bool) -> &'static Self {
        let (mut words32, mut words64) = (BTreeMap::new(), BTreeMap::new());
        let mut add32 = |at, is_checked: bool| words32.insert(at, Word32::new(is_checked.then_some(is_weak)));
        let mut add64 = |at, is_checked: bool| words64.insert(at, Word64::new(is_checked.then_some(is_weak)));
        for at in [header::VERSION, header::BLOCKS, header::CAPACITY, header::FDS, header::PID, header::PPID]
        {
            add32(at, false);
        }
        for at in [header::CLOCK, header::EXACT, header::FORKED, header::OBSERVED, header::INTERVAL] {
            add32(at, false);
        }
        for at in [header::MAGIC, header::TICKS, header::NS, header::REALTIME] {
            add64(at, false);
        }
        add64(header::NEXT, true);
        for begin in (0..blocks as usize).map(|n| layout::HEADER + n * layout::BLOCK) {
            add64(begin + block::SERIAL, true);
            add32(begin + block::LEN, true);
            add64(begin + block::TICKS, false);
            add64(begin + block::NS, false);
            add32(begin + block::TID, false);
            for word in 0..layout::RECORDS * layout::RECORD / 8 {
                add64(begin + block::RECORDS + word * 8, true);
            }
        }
        let memory: &'static Self = Box::leak(Box::new(Self { words32, words64 }));
        NOW.set(memory);
        memory
    }

    /// The address that a writer gets.
    pub fn begin(&self) -> *mut u8 {
        ptr::without_provenance_mut(BASE)
    }

    fn now() -> &'static Self {
        // SAFETY: it is never dropped.
        unsafe { NOW.get().as_ref() }.expect("a memory")
    }
}

/// # Safety
/// No condition: a word that does not exist fails the model.
pub(crate) unsafe fn word64<'a>(memory: *mut u8, at: usize) -> &'a Word64 {
    &Memory::now().words64[&(memory.addr() + at - BASE)]
}

/// # Safety
/// As above.
pub(crate) unsafe fn word32<'a>(memory: *mut u8, at: usize) -> &'a Word32 {
    &Memory::now().words32[&(memory.addr() + at - BASE)]
}

/// An id of the calling thread.
pub(crate) fn thread() -> u32 {
    MARK.with(|mark| ptr::from_ref(mark).addr() as u32)
}

impl Source for &Memory {
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let (begin, end) = (at as usize, at as usize + buf.len());
        fence(Ordering::SeqCst);
        for (at, word) in self.words64.range(begin..end) {
            buf[at - begin..at - begin + 8].copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        for (at, word) in self.words32.range(begin..end) {
            buf[at - begin..at - begin + 4].copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        fence(Ordering::SeqCst);
        Ok(())
    }
}
