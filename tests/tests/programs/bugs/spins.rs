//! Loops that never sleep.

use std::io::Write;

use crate::os::{self, close, connection, listener, pipe, Clock, Set, HUP, IN, OUT};

/// 3: the writer of a pipe is gone, and the loop looks for data only.
pub fn hang_up(mended: bool) -> Vec<i32> {
    let set = Set::new();
    let (reader, writer) = pipe();
    set.add(reader, IN).expect("a pipe");
    os::put(writer, b"last words").expect("a pipe");
    close(writer).expect("it is open");
    let clock = Clock::runs(1300);
    while clock.is_running() {
        for (ready, events) in set.wait(16, 50).expect("a wait") {
            if events & IN != 0 {
                let _ = os::read(ready, &mut [0; 64]);
            }
            if mended && events & HUP != 0 {
                close(ready).expect("it is open");
            }
        }
    }
    vec![reader]
}

/// 4: with each answer the loop asks for room to write, and never stops asking.
pub fn room(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (fd, mut client) = connection(listener, port);
    set.add(fd, IN).expect("a socket");
    client.write_all(b"question").expect("the server is there");
    let clock = Clock::runs(1300);
    let mut pending = 0;
    while clock.is_running() {
        for (ready, events) in set.wait(16, 50).expect("a wait") {
            if events & IN != 0 && os::read(ready, &mut [0; 64]).is_ok_and(|got| got > 0) {
                pending += 1;
                set.modify(ready, IN | OUT).expect("it is there");
            }
            if events & OUT != 0 && pending > 0 {
                os::write(ready, b"answer").expect("the client is there");
                pending -= 1;
                if mended {
                    set.modify(ready, IN).expect("it is there");
                }
            }
        }
    }
    vec![fd]
}

/// 18: another thread wakes the loop by a pipe. The loop arms the pipe again, and does not empty it.
pub fn left_ready(mended: bool) -> Vec<i32> {
    let set = Set::new();
    let (reader, writer) = pipe();
    set.add(reader, IN).expect("a pipe");
    let waker = std::thread::spawn(move || os::put(writer, b"w").expect("a pipe"));
    let clock = Clock::runs(1300);
    while clock.is_running() {
        for (ready, _) in set.wait(16, 50).expect("a wait") {
            if mended {
                os::read(ready, &mut [0; 64]).expect("a pipe");
            }
            set.modify(ready, IN).expect("it is there");
        }
    }
    waker.join().expect("it ends");
    vec![reader]
}
