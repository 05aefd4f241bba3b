//! The items of a set by fd. The kernel has a tree here; this is an array. An fd has one item, or several if
//! the files of earlier items live on under other fds; such items form a list (`Epitem::next`).
//!
//! A look-up is an indexed load. A page of the array is allocated when one of its fds is first used.
//!
//! Protected by: `ep.mtx`. Linux: `fs/eventpoll.c:ep_find`, `ep_rbtree_insert`.

const PAGE: usize = 256;

/// No item.
pub const NIL: u32 = u32::MAX;

/// The first item of each fd. Linux: `eventpoll.rbr`.
#[derive(Debug, Default)]
pub(crate) struct Rbr(Vec<Option<Box<[u32; PAGE]>>>);

impl Rbr {
    #[inline]
    pub(crate) fn first(&self, fd: i32) -> u32 {
        let page = self.0.get(fd as usize / PAGE).and_then(Option::as_ref);
        page.map_or(NIL, |page| page[fd as usize % PAGE])
    }

    #[inline]
    pub(crate) fn set_first(&mut self, fd: i32, id: u32) {
        let at = fd as usize / PAGE;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        self.0[at].get_or_insert_with(|| Box::new([NIL; PAGE]))[fd as usize % PAGE] = id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_fd_has_the_item_that_was_set_last() {
        let mut rbr = Rbr::default();
        assert_eq!(rbr.first(1000), NIL);
        rbr.set_first(1000, 3);
        rbr.set_first(1001, 4);
        assert_eq!([999, 1000, 1001, 5000].map(|fd| rbr.first(fd)), [NIL, 3, 4, NIL]);
        rbr.set_first(1000, NIL);
        assert_eq!(rbr.first(1000), NIL);
    }
}
