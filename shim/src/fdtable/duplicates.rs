//! Another fd of a file.

use glasspoll_record::event::Event;

use super::early;
use super::entering::put_another;
use super::fd_ref::{FdRef, Held};
use super::flags::{flags, set, CLOSING, IDENTIFIED, MANY, OURS, TRACKED};
use super::identity;
use super::leaving::forget;
use super::track::track;
use crate::process::record::note;

/// `new` is another fd of `old`'s file.
pub fn duplicated(old: i32, new: i32) {
    if flags(new) & TRACKED != 0 {
        // The program closed it unseen.
        forget(new);
    }
    if early::duplicated(old, new) {
        return;
    }
    let Ok(Held(file)) = track(FdRef::of(old)) else { return };
    set(old, MANY);
    let bits = || flags(old) & !(OURS | CLOSING | IDENTIFIED);
    if put_another(new, file, bits()) {
        // The flags may have changed meanwhile.
        set(new, bits());
        if let Some(identity) = identity::get(old) {
            identity::note(new, identity);
        }
        note(Event::Dup { old, new });
    }
}
