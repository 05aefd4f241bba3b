//! Trying a system call in a child, which a sandbox may kill for it.

use std::io;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    Works,
    /// By this errno.
    Refused(i32),
    /// The child was killed for it.
    Killed,
    /// There was no child to try it.
    Unknown,
}

impl Tried {
    pub fn works(self) -> bool {
        self == Self::Works
    }

    /// In words.
    pub fn word(self) -> String {
        match self {
            Self::Works => "works".into(),
            Self::Refused(errno) => {
                let text = io::Error::from_raw_os_error(errno).to_string();
                format!("refused: {}", text.split(" (os error").next().unwrap_or_default())
            }
            Self::Killed => "killed for it".into(),
            Self::Unknown => "not known: no child".into(),
        }
    }
}

/// Runs `probe` in a child. This process must have one thread.
pub fn in_child(probe: impl FnOnce() -> Result<(), i32>) -> Tried {
    // SAFETY: this process has one thread, so the child may do what its parent may.
    match unsafe { libc::fork() } {
        -1 => Tried::Unknown,
        0 => {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the limit lives. A child that is killed leaves no core.
            unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
            let code = probe().err().unwrap_or(0);
            // SAFETY: it ends this process.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = 0;
            // SAFETY: the pointer is to a local. Nothing else waits for this child.
            while unsafe { libc::waitpid(child, &mut status, 0) } < 0 {
                if errno() != libc::EINTR {
                    return Tried::Unknown;
                }
            }
            match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
                (true, 0) => Tried::Works,
                (true, errno) => Tried::Refused(errno),
                (false, _) => Tried::Killed,
            }
        }
    }
}

/// The errno of the last call of libc's.
pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_child_is_told() {
        assert_eq!(in_child(|| Ok(())), Tried::Works);
        assert_eq!(in_child(|| Err(libc::EPERM)), Tried::Refused(libc::EPERM));
        // SAFETY: the child alone has this signal.
        assert_eq!(in_child(|| Err(unsafe { libc::raise(libc::SIGKILL) })), Tried::Killed);
        assert_eq!(Tried::Refused(libc::ENOSYS).word(), "refused: Function not implemented");
    }
}
