//! What is done with all items of one file.
//!
//! Linux: `fs/eventpoll.c:eventpoll_release_file`.

use crate::file::{Backing, Device, File};
use crate::mutation::is;
use crate::sync::Arc;
use crate::trace;

/// Demotes every item of the file.
pub(crate) fn demote_file(file: &File) {
    if file.wait_head().is_empty() {
        return;
    }
    for item in file.wait_head().items() {
        if let Some(ep) = item.ep.upgrade() {
            ep.demote_item(item.id, item.serial);
        }
    }
}

/// Returns once every delivery has ended that began before the call and may ask the file.
pub(crate) fn finish_scans(file: &File) {
    for item in file.wait_head().items() {
        if let Some(ep) = item.ep.upgrade() {
            drop(ep.mtx.lock());
        }
    }
}

/// Takes a file out of every set: its last descriptor is about to be closed.
/// Returns how many items it took out. Linux: `fs/eventpoll.c:eventpoll_release_file`.
pub fn release_file(file: &Arc<File>) -> usize {
    let items = file.wait_head().items();
    for item in &items {
        if let Some(ep) = item.ep.upgrade() {
            if is("a_release_waits_for_nobody") {
                let item = ep.lock.lock().list.remove(item.id);
                item.file.wait_head().remove_item(item.serial);
                continue;
            }
            let mut tree = ep.mtx.lock();
            let ready = ep.lock.lock();
            if ready.list.get(item.id).is_some_and(|found| found.serial == item.serial) {
                ep.remove(&mut tree, ready, item.id);
            }
        }
    }
    match file.backing() {
        Backing::Kernel(device) => device.release(),
        Backing::Device(device) => device.release(),
        Backing::Epoll(ep) => ep.clear(),
    }
    if !items.is_empty() || file.eventpoll().is_some() {
        let shared = file.device().is_some_and(|device| device.may_live_on());
        trace::release(file.fd(), items.len(), shared);
    }
    items.len()
}
