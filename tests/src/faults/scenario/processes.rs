//! Sets and files over fork and exec.

use std::env;
use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;

use libc::{EPOLLET, EPOLLIN};

use super::os::{drain, eventfd, give_up, must, pipe, socketpair, write, Epoll, Fd, REFUSED, WRONG};

/// A child goes on with the set and makes one of its own; the parent goes on at the same time.
pub fn fork() {
    let ep = Epoll::new();
    let pipes = [pipe(), pipe()];
    let unix = socketpair();
    let event = eventfd();
    ep.add(&pipes[0][0], EPOLLIN | EPOLLET, 1);
    ep.add(&unix[0], EPOLLIN, 2);
    ep.add(&event, EPOLLIN | EPOLLET, 3);
    write(&pipes[0][1], 1);
    ep.expect("before", &[(1, EPOLLIN)]);
    drain(&pipes[0][0]);
    // SAFETY: the child does what a process with one thread may.
    let child = must("fork", unsafe { libc::fork() } as isize) as i32;
    if child == 0 {
        for _ in 0..2 {
            write(&pipes[0][1], 1);
            ep.expect("in the child", &[(1, EPOLLIN)]);
            drain(&pipes[0][0]);
            write(&unix[1], 2);
            write(&event, 8);
            ep.expect("in the child", &[(2, EPOLLIN), (3, EPOLLIN)]);
            drain(&unix[0]);
            drain(&event);
            ep.expect_nothing("in the child");
        }
        let own = Epoll::new();
        let [read, end] = pipe();
        own.add(&read, EPOLLIN | EPOLLET, 4);
        write(&end, 1);
        own.expect("the child's own", &[(4, EPOLLIN)]);
        own.delete(&read);
        write(&pipes[1][1], 1);
        std::process::exit(0);
    }
    let mut status = 0;
    // SAFETY: a valid pointer.
    must("waitpid", unsafe { libc::waitpid(child, &mut status, 0) } as isize);
    if !libc::WIFEXITED(status) {
        give_up(WRONG, &format!("the child ended with {status:x}"));
    }
    match libc::WEXITSTATUS(status) {
        0 => {}
        REFUSED => give_up(REFUSED, "the child was refused"),
        other => give_up(other, "the child was told something wrong"),
    }
    ep.add(&pipes[1][0], EPOLLIN, 5);
    // The child wrote everything else that is reported.
    ep.expect("the child's word", &[(5, EPOLLIN)]);
    for fd in [&pipes[0][0], &pipes[1][0], &unix[0], &event] {
        drain(fd);
    }
    write(&unix[1], 1);
    ep.expect("the parent afterwards", &[(2, EPOLLIN)]);
}

/// First an exec that fails, after which the program goes on; then one that succeeds.
pub fn exec() {
    let ep = Epoll::new();
    let pipe = pipe();
    let unix = socketpair();
    ep.add(&pipe[0], EPOLLIN | EPOLLET, 1);
    ep.add(&unix[0], EPOLLIN | EPOLLET, 2);
    let nothing = c"/nonexistent/program";
    let none = [std::ptr::null()];
    // SAFETY: a path, and lists that end.
    if unsafe { libc::execv(nothing.as_ptr(), none.as_ptr()) } == 0 {
        give_up(WRONG, "a program that is not there was executed");
    }
    write(&pipe[1], 1);
    write(&unix[1], 1);
    ep.expect("after a failed exec", &[(1, EPOLLIN), (2, EPOLLIN)]);
    for fd in [&pipe[0], &pipe[1], &unix[0], &unix[1]] {
        // SAFETY: numbers.
        must("fcntl", unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) } as isize);
    }
    drain(&pipe[0]);
    drain(&unix[0]);
    let program = CString::new(env::current_exe().expect("/proc").into_os_string().into_encoded_bytes());
    let program = program.expect("a path");
    let fds = [&pipe[0], &pipe[1], &unix[0], &unix[1]].map(|fd| fd.as_raw_fd().to_string()).join(",");
    env::set_var("SCENARIO_FDS", fds);
    let arguments = [program.as_ptr(), c"scenario".as_ptr(), c"inherited".as_ptr(), std::ptr::null()];
    // SAFETY: a path, and a list that ends.
    unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
    give_up(WRONG, &format!("execv: {}", io::Error::last_os_error()));
}

/// The program after the exec: it watches the fds that it inherited.
pub fn inherited() {
    let Ok(text) = env::var("SCENARIO_FDS") else { return };
    let fds: Vec<Fd> = text.split(',').filter_map(|fd| fd.parse().ok().map(Fd)).collect();
    let ep = Epoll::new();
    ep.add(&fds[0], EPOLLIN | EPOLLET, 1);
    ep.add(&fds[2], EPOLLIN | EPOLLET, 2);
    for _ in 0..2 {
        write(&fds[1], 1);
        write(&fds[3], 1);
        ep.expect("inherited", &[(1, EPOLLIN), (2, EPOLLIN)]);
        // The file is not drained: each write is a new edge.
        write(&fds[1], 1);
        ep.expect("on top of it", &[(1, EPOLLIN)]);
        drain(&fds[0]);
        drain(&fds[2]);
        ep.expect_nothing("drained");
    }
}
