//! The call stacks by which items were added: which code registered a descriptor. The region is there only if the
//! process keeps stacks (`GLASSPOLL_STACKS=on`); `header::STACKS_AT` tells where it begins. Most of its pages are never
//! written, and take no memory.
//!
//! | part | entries | of bytes | what |
//! |---|--:|--:|---|
//! | head | 1 | 64 | u32 how many modules, u32 how many stacks, u32 how many stacks found no room |
//! | modules | 512 | 512 | u32 length of the path (0: too long), u32 length of the build ID, 20 bytes of build ID, the path |
//! | stacks | `header::STACKS` | 208 | u32 hash, u32 how many frames, u32 whether more frames follow, 24 frames of u64 |
//! | present | `header::CAPACITY` | 8 | for each item's entry (`items`): u32 stack, u32 serial number of the item |
//! | latest | 65536 | 8 | the same for the item with serial number `n`, at `n % 65536`: items that are gone, too |
//! | index | 8192 | 4 | the writer's: the stacks by their hash |
//!
//! A stack has a number from 1 on; 0 is unknown. A frame is the address to which a call returns: its upper 16 bits are
//! the number of the module, from 1 on, the others the address minus what the loader added to the module's addresses.
//! Module 0 is none: code of a JIT compiler, say.
//!
//! One thread at a time adds modules and stacks. An entry of `present` or `latest` that has another serial number than
//! the item is of another item.

mod reader;
mod writer;

pub use reader::{Module, Stack, Stacks};
pub(crate) use writer::{added, begin, end};
pub use writer::{is_on, module, stack, Adding};

/// The bytes of the head.
pub const HEAD: usize = 64;
/// The most modules.
pub const MODULES: usize = 512;
/// The bytes of a module.
pub const MODULE: usize = 512;
/// The longest build ID.
pub const BUILD_ID: usize = 20;
/// Where in a module's entry its path is, and how long it can be.
const PATH: usize = 8 + BUILD_ID;
/// The longest path of a module.
pub const LONGEST_PATH: usize = MODULE - PATH;
/// The most frames of a stack.
pub const FRAMES: usize = 24;
/// The bytes of a stack.
pub const STACK: usize = 16 + FRAMES * 8;
/// How many stacks a ring has room for.
pub const STACKS: u32 = 4096;
/// How many items, present or gone, the latest are.
pub const LATEST: usize = 1 << 16;
/// The entries of the index: twice as many as stacks.
const INDEX: usize = 1 << 13;
/// Below these bits of a frame is an address.
pub const MODULE_SHIFT: u32 = 48;

/// Offsets in the head.
mod head {
    pub const MODULES: usize = 0;
    pub const STACKS: usize = 4;
    pub const LEFT_OUT: usize = 8;
}

/// Where the region's parts begin. That depends on how many stacks and items it has room for.
#[derive(Clone, Copy, Debug)]
struct Parts {
    stacks: usize,
    present: usize,
    latest: usize,
    index: usize,
    end: usize,
}

impl Parts {
    fn new(stacks: u32, capacity: u32) -> Self {
        let first = HEAD + MODULES * MODULE;
        let present = first + stacks as usize * STACK;
        let latest = present + capacity as usize * 8;
        let index = latest + LATEST * 8;
        Self { stacks: first, present, latest, index, end: index + INDEX * 4 }
    }
}

/// The bytes of a region.
pub fn size(stacks: u32, capacity: u32) -> usize {
    Parts::new(stacks, capacity).end
}
