//! Loops that sleep too little, sleep too long, or do not wait again.

use std::io::{ErrorKind, Write};
use std::os::unix::thread::JoinHandleExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::os::{self, connection, listener, pipe, Clock, Set, ET, IN};

/// 11: the time to the next timer is truncated to whole milliseconds.
pub fn truncated(mended: bool) -> Vec<i32> {
    let set = Set::new();
    let (reader, _writer) = pipe();
    set.add(reader, IN).expect("a pipe");
    let clock = Clock::runs(1000);
    while clock.is_running() {
        let due = Instant::now() + Duration::from_micros(5900);
        while let Some(rest) = due.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            let millis = if mended { rest.as_micros().div_ceil(1000) } else { rest.as_millis() };
            set.wait(16, millis as i32).expect("a wait");
        }
    }
    vec![set.0]
}

/// 14: each wait takes two events, and many items are always ready.
pub fn small_batches(mended: bool) -> Vec<i32> {
    let set = Set::new();
    let (maxevents, micros) = if mended { (256, 100) } else { (2, 2000) };
    let busy: Vec<_> = (0..80).map(|_| pipe()).collect();
    for (reader, writer) in &busy {
        set.add(*reader, IN).expect("a pipe");
        os::put(*writer, &[b'x'; 4096]).expect("a pipe");
    }
    let (quiet, writer) = pipe();
    set.add(quiet, IN).expect("a pipe");
    let clock = Clock::runs(1500);
    let mut rounds = 0;
    while clock.is_running() {
        rounds += 1;
        if rounds == 20 {
            os::put(writer, b"at last").expect("a pipe");
        }
        for (ready, _) in set.wait(maxevents, 50).expect("a wait") {
            os::read(ready, &mut [0; 8]).expect("a pipe");
            os::work(micros);
        }
    }
    busy.iter().map(|(reader, _)| *reader).chain([quiet]).collect()
}

extern "C" fn note(_signal: libc::c_int) {}

fn handle_signals() {
    let handler: extern "C" fn(libc::c_int) = note;
    // SAFETY: the handler does nothing. There is no SA_RESTART; it would not change a wait anyway.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
    }
}

/// 15: a signal ends the wait of a worker, which treats that as an error and leaves its loop. The others go on.
pub fn interrupted(mended: bool) -> Vec<i32> {
    handle_signals();
    let (reader, writer) = pipe();
    let lost = Set::new();
    let worker = thread::spawn(move || {
        lost.add(reader, IN).expect("a pipe");
        let clock = Clock::runs(1800);
        while clock.is_running() {
            match lost.wait(16, 500) {
                Ok(events) => {
                    for (ready, _) in events {
                        let _ = os::read(ready, &mut [0; 64]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted && mended => {}
                Err(_) => break,
            }
        }
    });
    let set = Set::new();
    let (tick, ticker) = pipe();
    set.add(tick, IN).expect("a pipe");
    let clock = Clock::runs(1800);
    let mut ticks = 0;
    while clock.is_running() {
        ticks += 1;
        os::put(ticker, b"x").expect("a pipe");
        for (ready, _) in set.wait(16, 50).expect("a wait") {
            os::read(ready, &mut [0; 64]).expect("a pipe");
        }
        os::put(writer, b"work").expect("a pipe has room");
        os::sleep_ms(40);
        if ticks == 5 {
            // SAFETY: the thread is not joined yet.
            unsafe { libc::pthread_kill(worker.as_pthread_t(), libc::SIGUSR1) };
            // Work that comes at the same time would wake the worker before the signal does.
            os::sleep_ms(40);
        }
    }
    worker.join().expect("it ends");
    vec![lost.0, reader]
}

/// 25: for one request the loop takes a lock that another part of the program holds for long. Another client waits.
pub fn blocked(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (locking, mut locking_client) = connection(listener, port);
    let (quick, mut quick_client) = connection(listener, port);
    for fd in [locking, quick] {
        set.add(fd, IN).expect("a socket");
    }
    let [lock, other] = os::file_opened_twice();
    let clients = thread::spawn(move || {
        for _ in 0..4 {
            os::lock(other, libc::LOCK_EX).expect("a lock");
            locking_client.write_all(b"write").expect("the server is there");
            os::sleep_ms(50);
            quick_client.write_all(b"read").expect("the server is there");
            os::sleep_ms(100);
            os::lock(other, libc::LOCK_UN).expect("a lock");
            os::sleep_ms(100);
        }
        os::sleep_ms(800);
    });
    let mut is_wanted = false;
    let clock = Clock::runs(1600);
    while clock.is_running() {
        for (ready, _) in set.wait(16, 20).expect("a wait") {
            let read = os::read(ready, &mut [0; 64]).expect("a socket");
            is_wanted |= ready == locking && read > 0;
            if ready == quick && read > 0 {
                os::write(quick, b"answer").expect("the client is there");
            }
        }
        let how = if mended { libc::LOCK_EX | libc::LOCK_NB } else { libc::LOCK_EX };
        if is_wanted && os::lock(lock, how).is_ok() {
            is_wanted = false;
            os::lock(lock, libc::LOCK_UN).expect("a lock");
            os::write(locking, b"answer").expect("the client is there");
        }
    }
    clients.join().expect("they end");
    vec![lock]
}

/// 16: one request takes long, and another client waits.
pub fn slow(mended: bool) -> Vec<i32> {
    slow_by(mended, || os::work(340_000))
}

/// The same, with something that takes long.
pub fn slow_by(mended: bool, long: fn()) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (slow, mut slow_client) = connection(listener, port);
    let (quick, mut quick_client) = connection(listener, port);
    let (done, finished) = pipe();
    for fd in [slow, quick, done] {
        set.add(fd, IN).expect("a descriptor");
    }
    let clients = thread::spawn(move || {
        for _ in 0..4 {
            slow_client.write_all(b"much").expect("the server is there");
            os::sleep_ms(100);
            quick_client.write_all(b"little").expect("the server is there");
            os::sleep_ms(400);
        }
        os::sleep_ms(800);
    });
    let clock = Clock::runs(2400);
    while clock.is_running() {
        for (ready, _) in set.wait(16, 50).expect("a wait") {
            os::read(ready, &mut [0; 64]).expect("a descriptor");
            if ready == slow && mended {
                thread::spawn(move || {
                    long();
                    os::put(finished, b"x").expect("a pipe");
                });
            } else if ready == slow {
                long();
            }
            if ready != done {
                os::write(ready, b"answer").expect("the client is there");
            }
        }
    }
    clients.join().expect("it ends");
    vec![slow]
}

/// 20: one client sends faster than the loop reads, and the loop reads until there is nothing left.
pub fn hog(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    let (hog, mut sender) = connection(listener, port);
    let (quick, mut quick_client) = connection(listener, port);
    set.add(hog, IN | ET).expect("a socket");
    set.add(quick, IN).expect("a socket");
    let clock = Clock::runs(2200);
    let sender = thread::spawn(move || {
        let chunk = vec![b'x'; 256 << 10];
        for _ in 0..3 {
            let clock = Clock::runs(300);
            while clock.is_running() && sender.write_all(&chunk).is_ok() {}
            os::sleep_ms(300);
        }
        sender
    });
    let quick_client = thread::spawn(move || {
        for _ in 0..200 {
            quick_client.write_all(b"little").expect("the server is there");
            os::sleep_ms(10);
        }
        quick_client
    });
    let mut buffer = [0; 8192];
    while clock.is_running() {
        for (ready, _) in set.wait(16, 50).expect("a wait") {
            let mut reads = if mended && ready == hog { 8 } else { usize::MAX };
            while reads > 0 && os::read(ready, &mut buffer).is_ok_and(|got| got > 0) {
                reads -= 1;
                if ready == hog {
                    os::work(100);
                }
            }
            if mended && ready == hog {
                set.modify(hog, IN | ET).expect("it is there");
            }
        }
    }
    os::close(hog).expect("it is open");
    sender.join().expect("it ends");
    quick_client.join().expect("it ends");
    vec![hog]
}

/// 21: a timer of 50 ms, and a signal every 5 ms: the wait begins anew with each.
pub fn begun_anew(mended: bool) -> Vec<i32> {
    handle_signals();
    let set = Set::new();
    let (reader, _writer) = pipe();
    set.add(reader, IN).expect("a pipe");
    let worker = thread::spawn(move || {
        let clock = Clock::runs(1500);
        while clock.is_running() {
            let due = Instant::now() + Duration::from_millis(50);
            let mut millis = 50;
            while clock.is_running() && set.wait(16, millis).is_err() {
                if mended {
                    let rest = due.saturating_duration_since(Instant::now());
                    millis = rest.as_micros().div_ceil(1000) as i32;
                }
            }
        }
    });
    let clock = Clock::runs(1400);
    while clock.is_running() {
        os::sleep_ms(5);
        // SAFETY: the thread is not joined yet.
        unsafe { libc::pthread_kill(worker.as_pthread_t(), libc::SIGUSR1) };
    }
    worker.join().expect("it ends");
    vec![set.0]
}

/// 22: a loop looks every millisecond whether there is something to do.
pub fn idle(mended: bool) -> Vec<i32> {
    let set = Set::new();
    let (reader, _writer) = pipe();
    set.add(reader, IN).expect("a pipe");
    let clock = Clock::runs(3500);
    while clock.is_running() {
        set.wait(16, if mended { 500 } else { 1 }).expect("a wait");
    }
    vec![set.0]
}
