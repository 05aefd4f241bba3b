//! The other fds that an inherited file came with.

use std::sync::atomic::{AtomicI32, Ordering};

use dashmap::DashMap;
use glasspoll_reactor::hash::Hash;
use glasspoll_reactor::sys;
use once_cell::sync::Lazy;

use super::backing;
use super::entering::put_another;
use super::fd_ref::{FdRef, Held};
use super::flags::{
    flags, highest, set, takes_all_for_inherited, ASKED, IDENTIFIED, INHERITED, MANY, OURS, TRACKED,
};
use super::identity::{self, Identity};

/// No fd above this one is inherited.
pub(super) static HIGHEST_INHERITED: AtomicI32 = AtomicI32::new(-1);

/// The search for other fds of an inherited file ends at this fd.
const MOST_SIBLINGS: i32 = 1023;

/// Files without a type, such as eventfds, all have one identity. An observer does not compare each with each other one
/// if there are more of them: that would take seconds, for the sake of an item whose fd is closed while a dup lives on.
const MOST_ALIKE: usize = 64;

/// The inherited fds whose identity we asked for (`ASKED`). Some may have been closed since.
static FDS_OF: Lazy<DashMap<Identity, Vec<i32>, Hash>> =
    Lazy::new(|| DashMap::with_hasher_and_shard_amount(Hash::default(), 4));

/// Enters the other fds that an inherited file came with, as stdin and stdout often do. Asks once for each fd.
pub(super) fn enter_siblings(fd: i32, identity: Identity) {
    let inherited =
        if takes_all_for_inherited() { highest() } else { HIGHEST_INHERITED.load(Ordering::Relaxed) };
    for other in 0..=inherited.min(MOST_SIBLINGS) {
        if other != fd && flags(other) & (INHERITED | TRACKED | OURS | ASKED) == INHERITED {
            set(other, ASKED);
            if let Ok(identity) = identity::ask(other) {
                FDS_OF.entry(identity).or_default().push(other);
            }
        }
    }
    let others = FDS_OF.get(&identity).map(|fds| fds.clone()).unwrap_or_default();
    if backing::watches_nothing() && others.len() > MOST_ALIKE {
        return;
    }
    for other in others.into_iter().filter(|other| *other != fd) {
        if flags(other) & (INHERITED | TRACKED | OURS) != INHERITED {
            continue;
        }
        if identity::ask(other) == Ok(identity) && sys::is_same_file(fd, other) {
            set(fd, MANY);
            let Some(Held(file)) = FdRef::of(fd).hold() else { return };
            if put_another(other, file, flags(fd) & !IDENTIFIED) {
                identity::note(other, identity);
            }
        }
    }
}
