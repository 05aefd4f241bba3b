//! The slots that lead to us: the words of other objects that the loader filled in with the address of a libc function,
//! and that we filled in with ours.
//!
//! | the slot leads to | then |
//! |---|---|
//! | glibc | it leads to us |
//! | the object's own code, where the loader binds it at the first call | it leads to us, if the loader would find glibc's function |
//! | another library that interposes the name | it stays: that library's function is to run, and calls glibc past us |
//!
//! Keeps true: each store is one atomic word, and replaces only the value that was looked at. The protection of a page
//! is the same before and after. To put a slot back, the object's tables are read again: memory of an object that is
//! gone is not touched.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use glasspoll_reactor::sys;

use super::glibc::{self, Code};
use super::mappings::Mappings;
use super::names::Names;
use super::objects::{self, page_size, Changes, Object};
use super::tables::{Slot, Tables};

/// A slot that leads to us.
struct Taken {
    at: usize,
    /// What it led to.
    before: usize,
}

/// All slots that lead to us.
#[derive(Default)]
pub struct Slots {
    taken: Vec<Taken>,
    /// How many slots lead to another library that interposes the name.
    pub others: usize,
}

/// A store that is to be made.
struct Store {
    at: usize,
    before: usize,
    after: usize,
}

/// What a look at all objects found.
pub struct Look {
    pub changes: Changes,
    /// Whether every object was ready. The loader was still filling in the others.
    pub is_whole: bool,
}

impl Slots {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.taken.len()
    }

    /// Takes the slots of all objects that are ready. `at_rest`: no object is being loaded, and all are.
    pub fn take(&mut self, names: &Names, glibc: &Code, at_rest: bool) -> Look {
        let mappings = Mappings::read();
        let mut is_whole = true;
        let mut loaded = Vec::new();
        self.others = 0;
        let changes = objects::each(mappings.as_ref(), &mut |object| {
            if object.is_ours() || glibc::is_part(object) {
                return ControlFlow::Continue(());
            }
            loaded.extend(object.memory());
            if !at_rest && !is_ready(object, mappings.as_ref()) {
                is_whole = false;
                return ControlFlow::Continue(());
            }
            let mut others = 0;
            let stores = stores(object, |slot, text, before| {
                let name = names.get(text)?;
                if before == name.ours {
                    return None;
                }
                let is_unbound = slot.is_lazy && object.holds_code(before);
                if glibc.holds(before) || is_unbound && name.is_glibcs {
                    return Some(name.ours);
                }
                others += 1;
                None
            });
            self.others += others;
            write(&stores, object, mappings.as_ref(), &mut |made: &Store| {
                self.taken.push(Taken { at: made.at, before: made.before });
            });
            ControlFlow::Continue(())
        });
        self.taken.retain(|taken| loaded.iter().any(|range| range.contains(&taken.at)));
        self.taken.sort_by_key(|taken| taken.at);
        // The loader may have bound a slot after it was taken: then it was taken again.
        self.taken.dedup_by(|later, earlier| {
            let is_same = later.at == earlier.at;
            if is_same {
                earlier.before = later.before;
            }
            is_same
        });
        Look { changes, is_whole }
    }

    /// Puts the slots back that still lead to us. Returns how many.
    pub fn put_back(self, names: &Names) -> usize {
        let mappings = Mappings::read();
        let mut count = 0;
        objects::each(mappings.as_ref(), &mut |object| {
            if object.is_ours() {
                return ControlFlow::Continue(());
            }
            let stores = stores(object, |slot, text, before| {
                let at = self.taken.binary_search_by_key(&slot.at, |taken| taken.at).ok()?;
                (before == names.get(text)?.ours).then_some(self.taken.get(at)?.before)
            });
            write(&stores, object, mappings.as_ref(), &mut |_| count += 1);
            ControlFlow::Continue(())
        });
        count
    }
}

/// What `decide` wants of the object's slots; it gets each slot, its name and its value.
fn stores(object: &Object, mut decide: impl FnMut(Slot, &[u8], usize) -> Option<usize>) -> Vec<Store> {
    let mut stores = Vec::new();
    if let Some(tables) = Tables::of(object) {
        tables.slots(&mut |slot, name| {
            // SAFETY: `slots` gives words that can be read, and are aligned.
            let before = unsafe { word(slot.at) }.load(Ordering::Acquire);
            if let Some(after) = decide(slot, name, before) {
                stores.push(Store { at: slot.at, before, after });
            }
        });
    }
    stores.sort_by_key(|store| store.at);
    stores
}

/// Whether the loader has filled in the object: then it has made read-only what is to be.
fn is_ready(object: &Object, mappings: Option<&Mappings>) -> bool {
    let Some(range) = object.read_only() else { return true };
    let protection = mappings.and_then(|mappings| mappings.protection(range.start));
    protection.is_some_and(|protection| protection & libc::PROT_WRITE == 0)
}

/// The protection of the page of a slot.
fn protection(object: &Object, mappings: Option<&Mappings>, page: usize) -> i32 {
    let known = mappings.and_then(|mappings| mappings.protection(page));
    known.unwrap_or_else(|| match object.read_only() {
        Some(range) if range.contains(&page) => libc::PROT_READ,
        _ => libc::PROT_READ | libc::PROT_WRITE,
    })
}

/// Makes the stores, page by page, and tells which were made.
fn write(stores: &[Store], object: &Object, mappings: Option<&Mappings>, made: &mut dyn FnMut(&Store)) {
    let size = page_size();
    for stores in stores.chunk_by(|one, other| one.at / size == other.at / size) {
        let Some(first) = stores.first() else { continue };
        let page = first.at & !(size - 1);
        let protection = protection(object, mappings, page);
        let is_writable = protection & libc::PROT_WRITE != 0;
        // SAFETY: more may be done with the page meanwhile, not less.
        let opened =
            is_writable || unsafe { sys::protect(page, size, protection | libc::PROT_WRITE) }.is_ok();
        if !opened {
            continue;
        }
        for store in stores {
            // SAFETY: `stores` has read it, and it can be written now.
            let word = unsafe { word(store.at) };
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            if word.compare_exchange(store.before, store.after, order.0, order.1).is_ok() {
                made(store);
            }
        }
        if !is_writable {
            // SAFETY: as it was. If the kernel refuses, the page stays writable.
            let _ = unsafe { sys::protect(page, size, protection) };
        }
    }
}

/// # Safety
/// The word can be read, and is aligned.
unsafe fn word<'a>(at: usize) -> &'a AtomicUsize {
    // SAFETY: the caller's promise.
    unsafe { AtomicUsize::from_ptr(std::ptr::with_exposed_provenance_mut(at)) }
}
