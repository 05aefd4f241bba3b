//! A slab: values of one type, by id. It grows by one block at a time, so that little memory is unused and no
//! value moves.

use std::ops::{Index, IndexMut};

const BLOCK: usize = 128;

/// Values by id. The id of a removed value is used again.
#[derive(Debug)]
pub struct Slab<T> {
    blocks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    len: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Slab<T> {
    /// Adds a value; returns its id.
    pub fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(id) = self.free.pop() {
            self.blocks[id as usize / BLOCK][id as usize % BLOCK] = Some(value);
            return id;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let id = (self.blocks.len() - 1) * BLOCK + self.blocks.last().map_or(0, Vec::len);
        if let Some(block) = self.blocks.last_mut() {
            block.push(Some(value));
        }
        id as u32
    }

    /// Removes a value.
    ///
    /// # Panics
    /// If the id is not in use.
    pub fn remove(&mut self, id: u32) -> T {
        let place =
            self.blocks.get_mut(id as usize / BLOCK).and_then(|block| block.get_mut(id as usize % BLOCK));
        let value = place.and_then(Option::take).expect("a number in use");
        self.free.push(id);
        self.len -= 1;
        value
    }

    /// The value, if the id is in use.
    #[inline]
    pub fn get(&self, id: u32) -> Option<&T> {
        self.blocks.get(id as usize / BLOCK)?.get(id as usize % BLOCK)?.as_ref()
    }

    /// The same, to change.
    #[inline]
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.blocks.get_mut(id as usize / BLOCK)?.get_mut(id as usize % BLOCK)?.as_mut()
    }

    /// All values, with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let all = self.blocks.iter().flatten().enumerate();
        all.filter_map(|(id, value)| Some((id as u32, value.as_ref()?)))
    }

    /// The same, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.blocks.iter_mut().flatten().flatten()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        self.get(id).expect("a number in use")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        self.get_mut(id).expect("a number in use")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_its_value_until_that_is_removed() {
        let mut slab = Slab::default();
        let ids: Vec<u32> = (0..200).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.remove(ids[70]), 70);
        assert_eq!((slab.get(ids[70]), slab.len()), (None, 199));
        assert!(slab.iter().all(|(id, n)| slab[id] == *n && *n != 70));
        assert_eq!(slab.insert(7), ids[70]);
        slab[ids[70]] = 8;
        assert_eq!((slab.get(ids[70]), slab.get(ids[199]), slab.get(200)), (Some(&8), Some(&199), None));
    }
}
