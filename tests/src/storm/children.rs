//! Children, from fork to exit.

use std::ptr;

use super::calls::errno;

/// How a child is made and ends.
#[derive(Clone, Copy, Debug)]
pub enum Child {
    Exits,
    Closes,
    Execs,
    Spawned,
}

/// Makes a child and waits for its end. True: it ended well.
pub fn child(way: Child) -> bool {
    let path = c"/bin/true".as_ptr();
    let argv = [path.cast_mut(), ptr::null_mut()];
    let mut status = -1;
    // SAFETY: after fork the child makes only calls that are safe there; the strings and lists live.
    unsafe {
        extern "C" {
            static environ: *const *mut libc::c_char;
        }
        let mut pid = 0;
        if let Child::Spawned = way {
            if libc::posix_spawn(&mut pid, path, ptr::null(), ptr::null(), argv.as_ptr(), environ) != 0 {
                return false;
            }
        } else {
            pid = libc::fork();
        }
        if pid == 0 {
            match way {
                Child::Execs => {
                    libc::execve(path, argv.as_ptr().cast(), environ.cast());
                    libc::_exit(9);
                }
                Child::Closes => (3..64).for_each(|fd| {
                    libc::close(fd);
                }),
                _ => {}
            }
            libc::_exit(0);
        }
        while libc::waitpid(pid, &mut status, 0) < 0 && errno() == libc::EINTR {}
    }
    status == 0
}
