//! Opens the log file. Its path comes from the environment, and may lie in a directory that others can write to.
//!
//! | what is there | what happens |
//! |---|---|
//! | nothing | we make a file with mode 0600 |
//! | a regular file of this user with one name | we append to it |
//! | a FIFO of this user, a terminal, /dev/null | we write to it, and do not wait for a slow or missing reader |
//! | a symbolic link of this user or of root | we follow it, and apply this table to its target |
//! | another user's file or link, a file with several names, anything else | we refuse it |

use std::ffi::{CStr, CString};

use glasspoll_reactor::sys::{self, Errno};

const FLAGS: i32 = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NONBLOCK | libc::O_NOCTTY;
const ROOT: u32 = 0;
/// How many links we follow, one after another.
const LINKS: usize = 8;

/// Opens the file, with close-on-exec.
///
/// # Errors
/// The errno of open(2); EPERM if we refuse.
pub fn open(path: &CStr) -> Result<i32, Errno> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS {
        let opened = sys::open(&path, FLAGS | libc::O_NOFOLLOW, 0o600);
        if opened != Err(Errno::ELOOP) {
            return opened.and_then(ours);
        }
        match Step::from(&path)? {
            Step::To(next) => path = next,
            Step::Kernel => return sys::open(&path, FLAGS, 0o600).and_then(ours),
        }
    }
    Err(Errno::ELOOP)
}

/// The target of a link.
enum Step {
    To(CString),
    /// A file of a process, as in /proc/self/fd/2. Only the kernel can follow it.
    Kernel,
}

impl Step {
    /// Only this user, and root as for /dev/stderr, may choose our file by a link.
    fn from(path: &CStr) -> Result<Self, Errno> {
        let link = sys::open(path, libc::O_PATH | libc::O_NOFOLLOW, 0)?;
        let step = Self::of(link, path.to_bytes());
        let _ = sys::close(link);
        step
    }

    fn of(link: i32, path: &[u8]) -> Result<Self, Errno> {
        let stat = sys::fstat(link)?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFLNK || stat.st_uid != user() && stat.st_uid != ROOT {
            return Err(Errno::EPERM);
        }
        if sys::filesystem(link) == Ok(libc::PROC_SUPER_MAGIC) {
            return Ok(Step::Kernel);
        }
        let mut target = [0; libc::PATH_MAX as usize];
        let len = sys::readlink_of(link, &mut target)?;
        let target = &target[..len];
        let folder = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let folder = if target.starts_with(b"/") { &[][..] } else { &path[..folder] };
        CString::new([folder, target].concat()).map(Step::To).map_err(|_| Errno::EINVAL)
    }
}

fn ours(fd: i32) -> Result<i32, Errno> {
    if sys::fstat(fd).is_ok_and(|stat| is_for_us(&stat)) {
        return Ok(fd);
    }
    let _ = sys::close(fd);
    Err(Errno::EPERM)
}

fn is_for_us(stat: &libc::stat) -> bool {
    match stat.st_mode & libc::S_IFMT {
        // Under its other name the file may serve another purpose.
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
