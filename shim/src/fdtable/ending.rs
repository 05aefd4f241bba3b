//! The end of a reference that an fd held.

use glasspoll_reactor::watch::KernelFile;
use glasspoll_record::event::Event;

use super::entries::FileRef;
use super::files::fds_of;
use crate::process::record::note;

/// Drops the reference that an fd held. `many`: the file may have other fds.
pub(super) fn end(fd: i32, file: FileRef, many: bool) {
    let Some(file) = file.end() else {
        note(Event::Close { fd, lives_as: -1, errno: 0 });
        return;
    };
    let mut lives_as = file.fd();
    if lives_as == fd {
        // If there is no other fd, a call holds the file, and will end it.
        let other = if many { fds_of(fd, &file).first().copied() } else { None };
        let other = other.unwrap_or(-1);
        lives_as = other;
        match file.device_as::<KernelFile>() {
            Some(device) => device.moved(&file, other),
            None => file.set_fd(other),
        }
    }
    note(Event::Close { fd, lives_as, errno: 0 });
}
