//! Opening the log file. Its path comes from the environment, and may lie in a folder to which others write as well.
//!
//! | what is there | what is done |
//! |---|---|
//! | nothing | it is made, with mode 0600 |
//! | a regular file of this user's that has one name | appended to |
//! | a FIFO of this user's, a terminal, /dev/null | written to; who reads too slowly, or not yet, is not waited for |
//! | a symbolic link of this user's or of root's | followed, and the same is asked of what it leads to |
//! | another user's file or link, a file with several names, all else | refused |

use std::ffi::{CStr, CString};

use glasspoll_reactor::sys::{self, Errno};

const FLAGS: i32 = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NONBLOCK | libc::O_NOCTTY;
const ROOT: u32 = 0;
/// So many links are followed, one after another.
const LINKS: usize = 8;

/// Opens it; its descriptor is closed on exec.
///
/// # Errors
/// What open(2) gives; EPERM for what is refused.
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

/// Where a link leads.
enum Step {
    To(CString),
    /// To a file of some process's, as /proc/self/fd/2 does; only the kernel can follow it.
    Kernel,
}

impl Step {
    /// Only if whoever made the link may choose our file: we ourselves, and the system's owner, as of /dev/stderr.
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
