//! A child and its parent's set.

use std::io::Write;

use crate::os::{self, accept, close, listener, Clock, Set, IN};

/// 8: a child serves a connection, and first cleans up its parent's set as if it were its own.
pub fn shared(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    set.add(listener, IN).expect("a socket");
    let mut client = os::connect(port);
    client.write_all(b"hello").expect("the server is there");
    set.wait(16, 1000).expect("a wait");
    let fd = accept(listener).expect("a connection");
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let own = if mended { Set::new() } else { set };
        if !mended {
            own.del(listener).expect("it is there");
        }
        own.add(fd, IN).expect("a socket");
        for (ready, _) in own.wait(16, 500).expect("a wait") {
            let _ = os::read(ready, &mut [0; 16]);
        }
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }
    close(fd).expect("it is open");
    let clock = Clock::runs(700);
    while clock.is_running() {
        set.wait(16, 50).expect("a wait");
    }
    // SAFETY: our child; no status is wanted.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    vec![set.0, listener, fd]
}
