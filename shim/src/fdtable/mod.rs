//! The descriptor table: which file is behind which fd, as far as it concerns us.
//!
//! An fd is tracked from its first ADD to a set, or its first dup, until a close that we see. If we see the call that
//! makes an fd (`provenance`), we know everything about it from then on, and tracking it needs no system call.
//!
//! | file | what it is |
//! |---|---|
//! | `flags`, `entries`, `identity` | what we know of each fd; its file; its device and inode |
//! | `fd_ref`, `files`, `last_set` | how a call finds a file, a set, or all of them |
//! | `provenance`, `fd_kind`, `makers` | fds that we saw being made, and by which thread |
//! | `track`, `entering`, `duplicates`, `eventpolls`, `backing` | how a file comes into the table |
//! | `closing`, `leaving`, `ending` | how it goes |
//! | `inherited`, `siblings`, `inheritors`, `inheritor_count`, `early` | files of other processes, before and after a fork |
//! | `untouched` | fds that came, and were not touched yet |
//! | `notes`, `drain_hints` | what reads and writes of the program tell |
//! | `ours` | the library's own descriptors |
//! | `pollable` | whether a file can be added to a set |
//!
//! Locks: an entry or a shard of a map is taken for a look-up only; no lock of the reactor is taken under them.

mod backing;
mod closing;
pub mod drain_hints;
mod duplicates;
mod early;
mod ending;
mod entering;
mod entries;
mod eventpolls;
mod fd_kind;
mod fd_ref;
mod files;
mod flags;
mod identity;
mod inherited;
mod inheritor_count;
mod inheritors;
mod last_set;
mod leaving;
mod makers;
mod notes;
pub mod ours;
pub mod pollable;
mod provenance;
mod siblings;
mod tables;
mod track;
pub mod untouched;

pub use backing::watch_nothing;
pub use closing::{close, close_untracked, closing, replacing, Closing, Untracked};
pub use duplicates::duplicated;
pub use early::take_all as take_put_by;
pub use eventpolls::{
    all_made, any_epoll, held_eventpoll, insert_eventpoll, insert_kernel_set, kernel_sets, making,
    may_be_epoll, none_made_since,
};
pub use fd_kind::FdKind;
pub use fd_ref::{get, is_behind, FdRef, Held};
pub use files::{files, known, known_below};
pub use flags::{
    flags, BLOCKING, BORN, EPOLL, EVENTFD, HINT, INHERITED, IO, KERNEL_SET, MANY, NONBLOCK, OURS, PROVENANCE,
    ROOM, SEEN, TRACKED,
};
pub use inherited::{find_inherited, inherited_fds, is_armed_elsewhere, mark_inherited, received, sent};
pub use inheritor_count::{has_inheritor_since, inheritor_begins, inheritor_made, inheritors, Inheritor};
pub use inheritors::{share_counter, share_counters, share_kept_counters, will_be_copied};
pub use last_set::{forget_set, with_last_set, with_set};
pub use leaving::forget;
pub use makers::maker;
pub use notes::{note_blocking, note_io};
pub use ours::{protect, unprotect, MOST_OURS};
pub use provenance::{kind_of, lost_sight, mode_changed, note_made, note_mode, Made};
pub use track::track;

use ending::end;

/// Forgets every descriptor of the program's.
pub fn forget_all() {
    for fd in known(0, u32::MAX) {
        forget(fd);
    }
}

/// In a forked child.
pub fn forked() {
    closing::forked();
    eventpolls::forked();
    inheritor_count::forked();
    flags::forked();
}
