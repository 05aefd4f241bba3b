//! Maps and sets of numbers. Those of the standard library ask the kernel for a seed by getrandom(3), which is a
//! cancellation point: a thread of the program that was cancelled would end in the midst of our code.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// What a map of numbers is made with.
pub type Hash = BuildHasherDefault<Fold>;
pub(crate) type Map<K, T> = HashMap<K, T, Hash>;
pub(crate) type Set<K> = HashSet<K, Hash>;

/// Pointers differ in their middle bits, which a multiplication brings to the top.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
