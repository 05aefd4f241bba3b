//! Reads the region of a living process, and the chunk of a file that is made from it.

use std::collections::BTreeMap;
use std::io;

use super::{
    head, Parts, BUILD_ID, FRAMES, HEAD, LATEST, LONGEST_PATH, MODULE, MODULES, MODULE_SHIFT, PATH, STACK,
};
use crate::layout;
use crate::ring::{u32_at, u64_at, Header, Source};

/// A module of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Its path; empty if it is not known. It may be no UTF-8.
    pub path: Vec<u8>,
    /// Its build ID; empty if it has none.
    pub build_id: Vec<u8>,
}

/// A call stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// The addresses that calls return to, the innermost first.
    pub frames: Vec<u64>,
    /// There are more frames.
    pub goes_on: bool,
}

/// The stacks by which items of a process were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stacks {
    /// Module `n` is at `n - 1`.
    pub modules: Vec<Module>,
    /// Stack `n` is at `n - 1`.
    pub stacks: Vec<Stack>,
    /// How many more had no room.
    pub left_out: u32,
    /// The number of an item's stack, by its serial number.
    pub of_item: BTreeMap<u32, u32>,
}

impl Stacks {
    /// The stack by which an item was added.
    pub fn of(&self, item: u32) -> Option<&Stack> {
        let number = self.of_item.get(&item)?;
        self.stacks.get(number.checked_sub(1)? as usize)
    }

    /// Whether there is no stack.
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// A frame's module, and the address in it.
    pub fn place(&self, frame: u64) -> (Option<&Module>, u64) {
        let module = (frame >> MODULE_SHIFT) as usize;
        let module = module.checked_sub(1).and_then(|at| self.modules.get(at));
        (module.filter(|module| !module.path.is_empty()), frame & ((1 << MODULE_SHIFT) - 1))
    }

    /// Reads those of a ring.
    pub(crate) fn read(from: &impl Source, header: &Header) -> io::Result<Self> {
        if header.stacks == 0 {
            return Ok(Self::default());
        }
        let parts = Parts::new(header.stacks, header.capacity);
        let begin = header.stacks_at as usize * layout::HEADER;
        let read = |at: usize, len: usize| {
            let mut bytes = vec![0; len];
            from.read_exact_at(&mut bytes, (begin + at) as u64).map(|()| bytes)
        };
        let first = read(0, HEAD)?;
        let modules = (u32_at(&first, head::MODULES) as usize).min(MODULES);
        let stacks = u32_at(&first, head::STACKS).min(header.stacks) as usize;
        let mut all = Self {
            modules: read(HEAD, modules * MODULE)?.chunks_exact(MODULE).map(module).collect(),
            stacks: read(parts.stacks, stacks * STACK)?.chunks_exact(STACK).map(stack).collect(),
            left_out: u32_at(&first, head::LEFT_OUT),
            of_item: BTreeMap::new(),
        };
        for (at, len) in [(parts.latest, LATEST), (parts.present, header.items as usize)] {
            all.add_items(&read(at, len * 8)?);
        }
        Ok(all)
    }

    fn add_items(&mut self, bytes: &[u8]) {
        for entry in bytes.chunks_exact(8) {
            let (stack, serial) = (u32_at(entry, 0), u32_at(entry, 4));
            if stack != 0 && stack as usize <= self.stacks.len() {
                self.of_item.insert(serial, stack);
            }
        }
    }

    /// As bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, n: u32| out.extend(n.to_le_bytes());
        for n in [self.modules.len() as u32, self.stacks.len() as u32, self.left_out] {
            number(&mut out, n);
        }
        for module in &self.modules {
            for bytes in [&module.build_id, &module.path] {
                number(&mut out, bytes.len() as u32);
                out.extend(bytes);
            }
        }
        for stack in &self.stacks {
            number(&mut out, stack.frames.len() as u32);
            number(&mut out, stack.goes_on.into());
            out.extend(stack.frames.iter().flat_map(|frame| frame.to_le_bytes()));
        }
        for (item, stack) in &self.of_item {
            number(&mut out, *stack);
            number(&mut out, *item);
        }
        out
    }

    /// From bytes of a file. None: they make no sense.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut take = |len: usize| {
            let (taken, after) = rest.split_at_checked(len)?;
            rest = after;
            Some(taken)
        };
        let mut all = Self::default();
        let [modules, stacks, left_out] = [take(4)?, take(4)?, take(4)?].map(|bytes| u32_at(bytes, 0));
        all.left_out = left_out;
        for _ in 0..modules {
            let mut text = |most: usize| {
                let len = u32_at(take(4)?, 0) as usize;
                take(len).filter(|_| len <= most)
            };
            let build_id = text(BUILD_ID)?.to_vec();
            // In older files a path that is no UTF-8 is longer.
            let path = text(LONGEST_PATH * 3)?.to_vec();
            all.modules.push(Module { path, build_id });
        }
        for _ in 0..stacks {
            let (len, goes_on) = (u32_at(take(4)?, 0) as usize, u32_at(take(4)?, 0) != 0);
            let frames = take(len.min(FRAMES) * 8)?.chunks_exact(8).map(|frame| u64_at(frame, 0)).collect();
            all.stacks.push(Stack { frames, goes_on });
        }
        all.add_items(rest);
        Some(all)
    }
}

fn module(entry: &[u8]) -> Module {
    let (path, build_id) = (u32_at(entry, 0) as usize, u32_at(entry, 4) as usize);
    let bytes = |at: usize, len: usize| entry.get(at..at + len).unwrap_or_default();
    Module {
        path: bytes(PATH, path.min(LONGEST_PATH)).to_vec(),
        build_id: bytes(8, build_id.min(BUILD_ID)).to_vec(),
    }
}

fn stack(entry: &[u8]) -> Stack {
    let len = (u32_at(entry, 4) as usize).min(FRAMES);
    Stack { frames: (0..len).map(|n| u64_at(entry, 16 + n * 8)).collect(), goes_on: u32_at(entry, 8) != 0 }
}
