//! setsockopt(2): what is read from a socket may come in pieces from now on.

use glasspoll_reactor::watch::KernelFile;
use libc::{c_int, c_void, socklen_t};

use crate::fdtable::{flags, TRACKED};
use crate::interpose::read_write::with_file;

crate::interpose! {
    /// setsockopt(2). A protocol above TCP, such as TLS, gives its data in pieces.
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, len: socklen_t) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let done = unsafe { real()(fd, level, name, value, len) };
        if level == libc::IPPROTO_TCP && name == libc::TCP_ULP && done == 0 && flags(fd) & TRACKED != 0 {
            with_file(fd, |_, file| {
                if let Some(device) = file.device_as::<KernelFile>() {
                    device.comes_in_pieces();
                }
            });
        }
        done
    }
}
