//! Loops that wait for an event for which they have not asked or not made room.

use std::io::{ErrorKind, Read, Write};
use std::thread;

use crate::os::{self, connection, listener, Clock, Set, ET, IN, ONESHOT, OUT};

/// 2: a request is longer than the buffer, and the loop reads only one buffer for an edge. The client waits for its
/// answer.
pub fn not_drained(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (fd, mut client) = connection(listener, port);
    set.add(fd, IN | ET).expect("a socket");
    let client = thread::spawn(move || {
        client.write_all(b"short").expect("the server is there");
        os::sleep_ms(50);
        client.write_all(&[b'x'; 2000]).expect("the server is there");
        os::sleep_ms(2000);
    });
    let clock = Clock::runs(1800);
    let mut buffer = [0; 512];
    while clock.is_running() {
        for (ready, _) in set.wait(16, 100).expect("a wait") {
            while os::read(ready, &mut buffer).is_ok_and(|got| got > 0) && mended {}
        }
    }
    client.join().expect("it ends");
    vec![fd]
}

/// 5: a handler returns early if it does not understand the line, and does not arm the item again.
pub fn not_rearmed(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (fd, mut client) = connection(listener, port);
    set.add(fd, IN | ONESHOT).expect("a socket");
    let client = thread::spawn(move || {
        for line in ["good\n", "good\n", "bad\n", "good\n"] {
            client.write_all(line.as_bytes()).expect("the server is there");
            os::sleep_ms(100);
        }
        os::sleep_ms(2000);
    });
    let clock = Clock::runs(2000);
    while clock.is_running() {
        for (ready, _) in set.wait(16, 100).expect("a wait") {
            let rearmed = handle(ready);
            if rearmed || mended {
                set.modify(ready, IN | ONESHOT).expect("it is there");
            }
        }
    }
    client.join().expect("it ends");
    vec![fd]
}

/// Reads all lines. Returns whether it understood them.
fn handle(fd: i32) -> bool {
    let (mut text, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        match os::read(fd, &mut buffer) {
            Ok(0) => return true,
            Ok(got) => text.extend_from_slice(&buffer[..got]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("read: {error}"),
        }
    }
    !text.starts_with(b"bad")
}

/// 19: an answer is longer than the socket's buffer. The loop asks for room, and takes that back with its next change.
pub fn not_written_on(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (fd, mut client) = connection(listener, port);
    set.add(fd, IN).expect("a socket");
    let client = thread::spawn(move || {
        client.set_read_timeout(Some(std::time::Duration::from_secs(2))).expect("a socket");
        client.write_all(b"all of it").expect("the server is there");
        os::sleep_ms(100);
        while client.read(&mut [0; 65536]).is_ok_and(|got| got > 0) {}
    });
    let clock = Clock::runs(1800);
    let (answer, mut left) = (vec![b'x'; 65536], 0);
    while clock.is_running() {
        for (ready, _) in set.wait(16, 100).expect("a wait") {
            if os::read(ready, &mut [0; 64]).is_ok_and(|got| got > 0) {
                left = 40 << 20;
            }
            while let Some(wrote) =
                os::write(ready, &answer[..answer.len().min(left)]).ok().filter(|_| left > 0)
            {
                left -= wrote;
            }
            if left > 0 {
                set.modify(ready, IN | OUT).expect("it is there");
            }
            if left == 0 || !mended {
                set.modify(ready, IN).expect("it is there");
            }
        }
    }
    os::close(fd).expect("it is open");
    client.join().expect("it ends");
    vec![fd]
}
