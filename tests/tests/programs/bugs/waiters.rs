//! Many threads that wait for one listener.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use crate::os::{self, accept, close, connect, connection, listener, Clock, Set, ET, EXCLUSIVE, IN, ONESHOT};

/// 9: eight threads wait for each connection.
pub fn herd(mended: bool) -> Vec<i32> {
    let (listener, port) = listener();
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let over = over.clone();
            thread::spawn(move || {
                let set = Set::new();
                set.add(listener, if mended { IN | EXCLUSIVE } else { IN }).expect("a socket");
                while !over.load(SeqCst) {
                    for _ in set.wait(16, 50).expect("a wait") {
                        // As long as a line in the log takes.
                        os::sleep_ms(2);
                        if let Ok(fd) = accept(listener) {
                            close(fd).expect("it is open");
                        }
                    }
                }
            })
        })
        .collect();
    for _ in 0..150 {
        drop(connect(port));
        os::sleep_ms(8);
    }
    over.store(true, SeqCst);
    workers.into_iter().for_each(|worker| worker.join().expect("it ends"));
    vec![listener]
}

/// How many connections are served, and how many of them at the same time.
const CONNECTIONS: usize = 120;
const ACTIVE: usize = 8;

/// 10: the first worker accepts all connections, and serves them alone.
pub fn imbalance(mended: bool) -> Vec<i32> {
    let (listener, port) = listener();
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| connect(port)).collect();
    let barrier = Arc::new(Barrier::new(2));
    let workers: Vec<_> = (0..2)
        .map(|number| {
            let barrier = barrier.clone();
            thread::spawn(move || {
                let set = Set::new();
                set.add(listener, IN | EXCLUSIVE).expect("a socket");
                // The second worker comes a little later.
                if number == 1 {
                    barrier.wait();
                }
                let share = if mended { CONNECTIONS / 2 } else { CONNECTIONS };
                serve(set, listener, share, || {
                    if number == 0 {
                        barrier.wait();
                    }
                });
            })
        })
        .collect();
    let chunk = CONNECTIONS.div_ceil(ACTIVE);
    thread::scope(|scope| {
        for clients in clients.chunks(chunk) {
            scope.spawn(move || {
                let clock = Clock::runs(1300);
                for mut client in clients.iter().cycle() {
                    if !clock.is_running() {
                        break;
                    }
                    client.write_all(b"question").expect("the server is there");
                    client.read_exact(&mut [0; 6]).expect("it answers");
                }
            });
        }
    });
    drop(clients);
    workers.into_iter().for_each(|worker| worker.join().expect("it ends"));
    vec![listener]
}

/// Accepts at most `share` connections, then serves until all of them are gone, or for two seconds.
fn serve(set: Set, listener: i32, share: usize, accepted: impl FnOnce()) {
    let (mut accepted, mut count, mut open) = (Some(accepted), 0, 0);
    let clock = Clock::runs(2000);
    while clock.is_running() {
        for (ready, _) in set.wait(64, 50).expect("a wait") {
            if ready == listener {
                while count < share {
                    let Ok(fd) = accept(listener) else { break };
                    set.add(fd, IN).expect("a socket");
                    (count, open) = (count + 1, open + 1);
                }
                if count >= share {
                    set.del(listener).expect("it is there");
                }
            } else if os::read(ready, &mut [0; 64]).is_ok_and(|got| got > 0) {
                os::work(2000);
                os::write(ready, b"answer").expect("the client is there");
            } else {
                close(ready).expect("it is open");
                open -= 1;
            }
        }
        if let Some(accepted) = accepted.take() {
            accepted();
        }
        if count > 0 && open == 0 {
            return;
        }
    }
}

/// 23: two threads wait on one set. While one handles a message, the other is told of the next.
pub fn together(mended: bool) -> Vec<i32> {
    let (listener, port) = listener();
    let (fd, mut client) = connection(listener, port);
    let set = Set::new();
    let events = if mended { IN | ET | ONESHOT } else { IN | ET };
    set.add(fd, events).expect("a socket");
    let workers: Vec<_> = (0..2)
        .map(|_| {
            thread::spawn(move || {
                let clock = Clock::runs(1700);
                while clock.is_running() {
                    for (ready, _) in set.wait(16, 50).expect("a wait") {
                        while os::read(ready, &mut [0; 10]).is_ok_and(|got| got > 0) {
                            os::sleep_ms(3);
                        }
                        if mended {
                            set.modify(ready, events).expect("it is there");
                        }
                    }
                }
            })
        })
        .collect();
    for _ in 0..80 {
        for _ in 0..3 {
            client.write_all(b"0123456789").expect("the server is there");
            os::sleep_ms(1);
        }
        os::sleep_ms(15);
    }
    workers.into_iter().for_each(|worker| worker.join().expect("it ends"));
    vec![fd]
}
