//! Opening the log file. Its path comes from the environment, and may lie in a folder to which others write as well.
//!
//! | what is there | what is done |
//! |---|---|
//! | nothing | it is made, with mode 0600 |
//! | a regular file of this user's that has one name | appended to |
//! | a FIFO of this user's, a terminal, /dev/null | written to; who reads too slowly, or not yet, is not waited for |
//! | a symbolic link of this user's or of root's | followed, and the same is asked of what it leads to |
//! | another user's file or link, a file with several names, all else | refused |

use std::ffi::CStr;

use glasspoll_reactor::sys::{self, Errno};

const FLAGS: i32 = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NONBLOCK | libc::O_NOCTTY;
const ROOT: u32 = 0;

/// Opens it; its descriptor is closed on exec.
///
/// # Errors
/// What open(2) gives; EPERM for what is refused.
pub fn open(path: &CStr) -> Result<i32, Errno> {
    let fd = match sys::open(path, FLAGS | libc::O_NOFOLLOW, 0o600) {
        Err(Errno::ELOOP) if leads_where_we_may_go(path) => sys::open(path, FLAGS, 0o600)?,
        opened => opened?,
    };
    if sys::fstat(fd).is_ok_and(|stat| is_for_us(&stat)) {
        return Ok(fd);
    }
    let _ = sys::close(fd);
    Err(Errno::EPERM)
}

/// Whether whoever made the link may choose our file: we ourselves, and the system's owner, as of /dev/stderr.
fn leads_where_we_may_go(path: &CStr) -> bool {
    let Ok(link) = sys::open(path, libc::O_PATH | libc::O_NOFOLLOW, 0) else { return false };
    let owner = sys::fstat(link).map(|stat| stat.st_uid);
    let _ = sys::close(link);
    owner.is_ok_and(|owner| owner == user() || owner == ROOT)
}

fn is_for_us(stat: &libc::stat) -> bool {
    match stat.st_mode & libc::S_IFMT {
        // Another name of it may lie where it has another meaning.
        libc::S_IFREG => stat.st_uid == user() && stat.st_nlink <= 1,
        libc::S_IFIFO => stat.st_uid == user(),
        libc::S_IFCHR => stat.st_uid == user() || stat.st_uid == ROOT,
        _ => false,
    }
}

fn user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
