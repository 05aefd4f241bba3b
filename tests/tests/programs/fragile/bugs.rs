//! The loops, one bug each.

use crate::set::{drain, pair, receive, send, Set, ET, IN, OUT};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

const ROUNDS: usize = 50;

/// Edge-triggered; reads only one message for each event.
pub fn undrained(mended: bool) -> Result<(), String> {
    let received = one_message_an_edge(mended, 0);
    if received == ROUNDS {
        return Ok(());
    }
    Err(format!("{received} of {ROUNDS} messages came"))
}

/// The same, and then waits forever for the rest.
pub fn hanging(mended: bool) -> Result<(), String> {
    one_message_an_edge(mended, -1);
    Ok(())
}

fn one_message_an_edge(mended: bool, last_timeout: i32) -> usize {
    let set = Set::new();
    let ((ours, theirs), (other, others)) = (pair(), pair());
    set.add(&ours, IN | ET, 1);
    set.add(&other, IN, 2);
    let mut received = 0;
    let mut serve = |events: Vec<(u64, u32)>| {
        for (data, _) in events {
            match (data, mended) {
                (1, true) => received += drain(&ours),
                (1, false) => received += receive(&ours, 1),
                _ => drop(drain(&other)),
            }
        }
        received
    };
    for _ in 0..ROUNDS {
        send(&theirs, b"m");
        send(&others, b"x");
        serve(set.wait_on(1000));
    }
    // Waits for data that may still be in flight.
    for _ in 0..10 {
        serve(set.wait_on(5));
    }
    while last_timeout < 0 && serve(Vec::new()) < ROUNDS {
        serve(set.wait_on(last_timeout));
    }
    received
}

/// Assumes that the first event belongs to the file to which it wrote first.
pub fn order(mended: bool) -> Result<(), String> {
    let set = Set::new();
    let ((a, to_a), (b, to_b)) = (pair(), pair());
    set.add(&a, IN, 1);
    set.add(&b, IN, 2);
    for round in 0..ROUNDS {
        send(&to_a, b"m");
        send(&to_b, b"m");
        let mut seen = Vec::new();
        while seen.len() < 2 {
            for (data, _) in set.wait_on(1000) {
                // A spurious event, without data, does not count.
                if drain(if data == 1 { &a } else { &b }) != 0 {
                    seen.push(data);
                }
            }
        }
        if !mended && seen[0] != 1 {
            return Err(format!("round {round}: the answer came before the question"));
        }
    }
    Ok(())
}

/// Takes an interrupted wait for a failure.
pub fn interrupted(mended: bool) -> Result<(), String> {
    let set = Set::new();
    let (ours, theirs) = pair();
    set.add(&ours, IN, 1);
    for _ in 0..ROUNDS {
        match set.wait(1) {
            Err(error) if !(mended && error.kind() == io::ErrorKind::Interrupted) => {
                return Err(format!("epoll_wait: {error}"));
            }
            _ => {}
        }
        send(&theirs, b"m");
        set.wait_on(1000);
        drain(&ours);
    }
    Ok(())
}

/// The end of one connection frees another, whose event may come later in the same batch.
pub fn stale(mended: bool) -> Result<(), String> {
    for round in 0..ROUNDS {
        let set = Set::new();
        let ((control, to_control), (data, to_data)) = (pair(), pair());
        // A C program would have a pointer here, and free it.
        let mut connection: Option<UnixStream> = Some(data);
        set.add(connection.as_ref().expect("it was just made"), IN, 1);
        set.add(&control, IN, 2);
        send(&to_data, b"m");
        send(&to_control, b"close");
        let mut is_over = false;
        while !is_over {
            for (what, _) in set.wait_on(1000) {
                if what == 2 && drain(&control) != 0 {
                    connection = None;
                    is_over = true;
                } else if what == 1 {
                    match &connection {
                        Some(connection) => drop(drain(connection)),
                        None if mended => {}
                        None => return Err(format!("round {round}: the connection of this event was freed")),
                    }
                }
            }
        }
    }
    Ok(())
}

/// Assumes that one wait reports everything that is ready.
pub fn all_at_once(mended: bool) -> Result<(), String> {
    const FILES: usize = 4;
    let set = Set::new();
    let pairs: Vec<_> = (0..FILES).map(|_| pair()).collect();
    for (n, (ours, _)) in pairs.iter().enumerate() {
        set.add(ours, IN, n as u64);
    }
    for round in 0..ROUNDS {
        pairs.iter().for_each(|(_, theirs)| send(theirs, b"m"));
        let mut got = 0;
        loop {
            for (data, _) in set.wait_on(1000) {
                got += drain(&pairs[data as usize].0);
            }
            if got == FILES {
                break;
            }
            if !mended {
                return Err(format!("round {round}: {got} of {FILES} workers are ready, giving up"));
            }
        }
    }
    Ok(())
}

/// Assumes that a read after an event always finds data.
pub fn refused(mended: bool) -> Result<(), String> {
    let set = Set::new();
    let ((a, to_a), (b, to_b)) = (pair(), pair());
    set.add(&a, IN, 1);
    set.add(&b, IN, 2);
    for round in 0..ROUNDS {
        send(if round % 2 == 0 { &to_a } else { &to_b }, b"m");
        let mut got = 0;
        while got == 0 {
            for (data, _) in set.wait_on(1000) {
                let mut end = if data == 1 { &a } else { &b };
                match end.read(&mut [0; 16]) {
                    Ok(n) => got += n,
                    Err(error) if mended && error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(format!("round {round}: read: {error}")),
                }
            }
        }
    }
    Ok(())
}

/// Assumes that room is reported once, when the connection is there.
pub fn twice(mended: bool) -> Result<(), String> {
    for round in 0..ROUNDS {
        let set = Set::new();
        let (ours, theirs) = pair();
        set.add(&ours, IN | OUT | ET, 1);
        let (mut is_connected, mut got) = (false, 0);
        for _ in 0..3 {
            for (_, events) in set.wait_on(1) {
                if events & OUT != 0 && std::mem::replace(&mut is_connected, true) && got == 0 && !mended {
                    return Err(format!("round {round}: connected twice"));
                }
                got += drain(&ours);
            }
        }
        send(&theirs, b"m");
        while got == 0 {
            set.wait_on(1000);
            got += drain(&ours);
        }
    }
    Ok(())
}
