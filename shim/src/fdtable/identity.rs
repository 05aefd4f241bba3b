//! Device and inode of files without known provenance, and the fds of each.
//!
//! If an fd was closed unseen and reused, it has another inode, unless both files are anonymous. And a file that comes
//! with a message may be one that we know.

use dashmap::DashMap;
use glasspoll_reactor::hash::Hash;
use glasspoll_reactor::sys::{self, Errno};
use once_cell::sync::Lazy;

use super::flags::{all_fds, flags, set, unset, EPOLL, IDENTIFIED, TRACKED};

/// Device and inode.
pub(super) type Identity = (u64, u64);

static OF_FD: Lazy<DashMap<i32, Identity, Hash>> =
    Lazy::new(|| DashMap::with_hasher_and_shard_amount(Hash::default(), 4));
static FDS_OF: Lazy<DashMap<Identity, Vec<i32>, Hash>> =
    Lazy::new(|| DashMap::with_hasher_and_shard_amount(Hash::default(), 4));

/// Asks the kernel.
pub(super) fn ask(fd: i32) -> Result<Identity, Errno> {
    sys::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// What `note` stored.
pub(super) fn get(fd: i32) -> Option<Identity> {
    if flags(fd) & IDENTIFIED == 0 {
        return None;
    }
    OF_FD.get(&fd).map(|identity| *identity)
}

/// Stores the identity of an fd that has none yet.
pub(super) fn note(fd: i32, identity: Identity) {
    if OF_FD.insert(fd, identity).is_none() {
        FDS_OF.entry(identity).or_default().push(fd);
    }
    set(fd, IDENTIFIED);
}

/// Called when the fd leaves its file.
pub(super) fn forget(fd: i32) {
    if flags(fd) & IDENTIFIED == 0 {
        return;
    }
    unset(fd, IDENTIFIED);
    let Some((_, identity)) = OF_FD.remove(&fd) else { return };
    if let Some(mut fds) = FDS_OF.get_mut(&identity) {
        fds.retain(|other| *other != fd);
    }
    FDS_OF.remove_if(&identity, |_, fds| fds.is_empty());
}

/// The tracked fds whose file may be this one. For fds without an identity, asks the kernel once.
pub(super) fn alike(identity: Identity) -> Vec<i32> {
    for fd in all_fds().filter(|fd| flags(*fd) & (TRACKED | EPOLL | IDENTIFIED) == TRACKED) {
        if let Ok(identity) = ask(fd) {
            note(fd, identity);
        }
    }
    FDS_OF.get(&identity).map(|fds| fds.clone()).unwrap_or_default()
}
