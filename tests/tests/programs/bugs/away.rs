//! What a loop's thread does while it is away: it computes, waits for a lock, sleeps, or reads what is not there.

use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::os;

/// How long each takes.
const LONG: Duration = Duration::from_millis(340);

/// It computes.
#[inline(never)]
pub fn compute_page() {
    let end = Instant::now() + LONG;
    let mut page = 0u64;
    while Instant::now() < end {
        for word in 0..10_000u64 {
            page = black_box(page.rotate_left(7) ^ word);
        }
    }
}

/// Takes the lock of a file, as soon as nobody else has it.
fn lock(file: &std::fs::File) {
    // SAFETY: numbers; the fd is open.
    assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0, "flock");
}

/// It waits for the lock of a file.
pub fn wait_for_lock() {
    let path = std::env::temp_dir().join(format!("glasspoll-lock-{}", std::process::id()));
    let open = || std::fs::File::create(&path).expect("a file");
    let (held, file) = (open(), open());
    lock(&held);
    let holder = thread::spawn(move || {
        thread::sleep(LONG);
        drop(held);
    });
    lock(&file);
    holder.join().expect("it ends");
    let _ = std::fs::remove_file(path);
}

/// It sleeps.
pub fn nap() {
    thread::sleep(LONG);
}

/// It reads from a pipe into which nobody has written yet.
pub fn read_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let late = thread::spawn(move || {
        thread::sleep(LONG);
        os::put(writer.as_raw_fd(), b"x").expect("a pipe");
    });
    os::read(reader.as_raw_fd(), &mut [0; 8]).expect("a pipe");
    late.join().expect("it ends");
}
