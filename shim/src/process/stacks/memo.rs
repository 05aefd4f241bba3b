//! Remembers walks. A program adds most of its descriptors from a few places, and a walk is decided by the registers that
//! it begins with, the words that it reads, and the objects that it passes: if they are the same, so is its result.

use super::memory::Stack;
use super::objects::{Finder, Object};

/// The walks that begin at one place on the stack, such as those of two handlers of a loop.
const WAYS: usize = 4;
const SETS: usize = 32;

/// Where a walk begins: the stack pointer and the frame pointer. The instruction is always the same.
pub type Begin = (u64, u64);

/// A walk.
#[derive(Default)]
struct Walk {
    begin: Begin,
    /// Each word that it read.
    words: Vec<(u64, u64)>,
    objects: Vec<Object>,
    /// What came of it; 0: this is none.
    number: u32,
}

/// The latest walks, by where they begin.
pub struct Memo {
    walks: Vec<Walk>,
    /// The next place in each set.
    next: [u8; SETS],
    /// Of the present walk.
    words: Vec<(u64, u64)>,
    objects: Vec<Object>,
}

impl Memo {
    pub fn new() -> Self {
        let walks = std::iter::repeat_with(Walk::default).take(SETS * WAYS).collect();
        Self { walks, next: [0; SETS], words: Vec::new(), objects: Vec::new() }
    }

    fn set(begin: Begin) -> usize {
        (begin.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59) as usize % SETS
    }

    /// What came of this walk the last time.
    pub fn known(&self, begin: Begin, stack: &mut Stack, finder: Finder) -> Option<u32> {
        let at = Self::set(begin) * WAYS;
        let found = self.walks[at..at + WAYS].iter().find(|walk| {
            walk.number != 0
                && walk.begin == begin
                && walk.words.iter().all(|(at, value)| stack.read(*at) == Ok(*value))
                && walk.objects.iter().all(|object| finder.find(object.start) == Some(*object))
        });
        found.map(|walk| walk.number)
    }

    /// Objects have changed, and the walks with them.
    pub fn forget(&mut self) {
        self.walks.iter_mut().for_each(|walk| walk.number = 0);
    }

    /// A walk begins.
    pub fn begin(&mut self) {
        self.words.clear();
        self.objects.clear();
    }

    /// It has read a word.
    pub fn read(&mut self, at: u64, value: u64) {
        self.words.push((at, value));
    }

    /// It has come to another object.
    pub fn pass(&mut self, object: &Object) {
        if !self.objects.contains(object) {
            self.objects.push(*object);
        }
    }

    /// It has ended.
    pub fn end(&mut self, begin: Begin, number: u32) {
        let set = Self::set(begin);
        let way = usize::from(self.next[set]) % WAYS;
        self.next[set] = self.next[set].wrapping_add(1);
        let walk = &mut self.walks[set * WAYS + way];
        std::mem::swap(&mut walk.words, &mut self.words);
        std::mem::swap(&mut walk.objects, &mut self.objects);
        (walk.begin, walk.number) = (begin, number);
    }
}
