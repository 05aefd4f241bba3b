//! Loops that close a descriptor at the wrong time, or use an fd that no longer means the same file.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc;
use std::thread;

use crate::os::{self, accept, close, connection, listener, pipe, Clock, Set, IN};

/// 1: a connection is closed while a dup of it, kept for a log, is open. Its client's data was never read.
pub fn closed_while_a_dup_lives(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (fd, mut client) = connection(listener, port);
    let copy = os::dup(fd);
    set.add(fd, IN).expect("a socket");
    client.write_all(b"quit\n").expect("the server is there");
    let clock = Clock::runs(1300);
    let mut is_open = true;
    while clock.is_running() {
        for (ready, _) in set.wait(16, 50).expect("a wait") {
            // The server closes the connection, whatever the client sent.
            if ready == fd && is_open {
                if mended {
                    set.del(fd).expect("it is there");
                }
                close(fd).expect("it is open");
                is_open = false;
            }
        }
    }
    vec![fd, copy]
}

/// 1: a pipe is closed while a child holds it, and writes to it. Another pipe gets its fds.
pub fn held_by_a_child(mended: bool) -> Vec<i32> {
    let (set, (reader, writer)) = (Set::new(), pipe());
    set.add(reader, IN).expect("a pipe");
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        for _ in 0..10 {
            os::sleep_ms(100);
            let _ = os::put(writer, b"x");
        }
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }
    if mended {
        set.del(reader).expect("it is there");
    }
    close(reader).expect("it is open");
    close(writer).expect("it is open");
    let (reader, _writer) = pipe();
    set.add(reader, IN).expect("a pipe");
    let clock = Clock::runs(1200);
    while clock.is_running() {
        for (ready, _) in set.wait(16, 50).expect("a wait") {
            let _ = os::read(ready, &mut [0; 64]);
        }
    }
    // SAFETY: our child; no status is wanted.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    vec![reader]
}

/// 6: the loop remembers which fds it has registered, and does not forget one that it closes.
pub fn registered_for_an_earlier_file(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let mut registered = BTreeSet::new();
    let mut fds = Vec::new();
    for _ in 0..3 {
        let (fd, mut client) = connection(listener, port);
        let known = !registered.insert(fd);
        let done = if known { set.modify(fd, IN) } else { set.add(fd, IN) };
        // The error is logged, and the loop goes on.
        drop(done);
        client.write_all(b"hello").expect("the server is there");
        for (ready, _) in set.wait(16, 100).expect("a wait") {
            let _ = os::read(ready, &mut [0; 16]);
        }
        close(fd).expect("it is open");
        if mended {
            registered.remove(&fd);
        }
        if !fds.contains(&fd) {
            fds.push(fd);
        }
    }
    set.wait(16, 50).expect("a wait");
    fds
}

/// 6: a worker changes the set, and never waits on it. It does not know that another part has closed the fd.
pub fn changed_by_a_worker(mended: bool) -> Vec<i32> {
    let set = Set::new();
    let worker = thread::spawn(move || {
        let (old, _writer) = pipe();
        set.add(old, IN).expect("a pipe");
        close(old).expect("it is open");
        let (reader, _writer) = pipe();
        assert_eq!(reader, old, "the lowest number");
        // The error is logged, and the worker goes on.
        drop(if mended { set.add(reader, IN) } else { set.modify(reader, IN) });
        os::sleep_ms(500);
        reader
    });
    for _ in 0..6 {
        set.wait(16, 100).expect("a wait");
    }
    vec![worker.join().expect("it ends")]
}

/// 7: one client makes the loop close another client's connection, whose event is in the same batch.
pub fn closed_in_the_same_batch(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (master, mut master_client) = connection(listener, port);
    set.add(master, IN).expect("a socket");
    let mut victims = BTreeSet::new();
    for _ in 0..10 {
        let (victim, mut client) = connection(listener, port);
        set.add(victim, IN).expect("a socket");
        victims.insert(victim);
        master_client.write_all(b"throw it out").expect("the server is there");
        client.write_all(b"hello").expect("the server is there");
        os::sleep_ms(10);
        let mut closed = BTreeSet::new();
        for (ready, _) in set.wait(16, 100).expect("a wait") {
            if mended && closed.contains(&ready) {
                continue;
            }
            let _ = os::read(ready, &mut [0; 64]);
            if ready == master && closed.insert(victim) {
                close(victim).expect("it is open");
            }
        }
        if !closed.contains(&victim) {
            close(victim).expect("it is open");
        }
    }
    victims.into_iter().collect()
}

/// 17: a worker closes its connection when it is done, and once more when it cleans up. By then another thread has the
/// fd.
pub fn closed_twice(mended: bool) -> Vec<i32> {
    let (listener, port) = listener();
    let (to_worker, work) = mpsc::channel::<i32>();
    let (to_main, done) = mpsc::channel::<()>();
    let worker = thread::spawn(move || {
        let set = Set::new();
        while let Ok(fd) = work.recv() {
            set.add(fd, IN).expect("a socket");
            set.wait(16, 1000).expect("a wait");
            let _ = os::read(fd, &mut [0; 16]);
            close(fd).expect("it is open");
            to_main.send(()).expect("it waits");
            // Cleaning up comes later.
            let fd = work.recv().expect("it goes on");
            if !mended {
                let _ = close(fd);
            }
            to_main.send(()).expect("it waits");
        }
    });
    let set = Set::new();
    let mut fds = BTreeSet::new();
    for _ in 0..5 {
        let (first, mut client) = connection(listener, port);
        let mut second_client = os::connect(port);
        client.write_all(b"hello").expect("the server is there");
        to_worker.send(first).expect("it works");
        done.recv().expect("it works");
        let second = loop {
            if let Ok(fd) = accept(listener) {
                break fd;
            }
        };
        set.add(second, IN).expect("a socket");
        second_client.write_all(b"hello").expect("the server is there");
        set.wait(16, 1000).expect("a wait");
        let _ = os::read(second, &mut [0; 16]);
        to_worker.send(first).expect("it works");
        done.recv().expect("it works");
        fds.insert(second);
        if os::write(second, b"answer").is_ok() {
            close(second).expect("it is open");
        }
    }
    drop(to_worker);
    worker.join().expect("it ends");
    fds.into_iter().collect()
}

/// 17: a thread closes a pipe, and once more when it cleans up. By then another thread has a pipe of that fd. Neither
/// is in a set.
pub fn closed_twice_in_no_set(mended: bool) -> Vec<i32> {
    let (set, (watched, _writer)) = (Set::new(), pipe());
    set.add(watched, IN).expect("a pipe");
    let (to_worker, work) = mpsc::channel::<()>();
    let (to_main, done) = mpsc::channel::<()>();
    let worker = thread::spawn(move || {
        while let Ok(()) = work.recv() {
            let (reader, writer) = pipe();
            close(reader).expect("it is open");
            to_main.send(()).expect("it waits");
            // Cleaning up comes later.
            work.recv().expect("it goes on");
            if !mended {
                let _ = close(reader);
            }
            close(writer).expect("it is open");
            to_main.send(()).expect("it waits");
        }
    });
    let mut fds = BTreeSet::new();
    for _ in 0..5 {
        to_worker.send(()).expect("it works");
        done.recv().expect("it works");
        let (reader, writer) = pipe();
        os::put(writer, b"hello").expect("a pipe");
        to_worker.send(()).expect("it works");
        done.recv().expect("it works");
        fds.insert(reader);
        if os::read(reader, &mut [0; 16]).is_ok() {
            close(reader).expect("it is open");
        }
        close(writer).expect("it is open");
        set.wait(16, 10).expect("a wait");
    }
    drop(to_worker);
    worker.join().expect("it ends");
    fds.into_iter().collect()
}
