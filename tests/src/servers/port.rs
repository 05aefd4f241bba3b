//! Free TCP ports on the loopback address.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::Mutex;

const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Sockets that tell the tests in other processes which ports are taken, until this process ends.
static GIVEN: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port on which no process listens, and that no other test has, in this process or another.
///
/// It lies below the ephemeral range: with port 0 the kernel gives out a number that a busy load generator may take as
/// its own before the server binds it.
pub fn free_port() -> u16 {
    let start = std::process::id() % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = (start + step) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("smaller than COUNT");
        let Some(claim) = claim(port) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            GIVEN.lock().expect("nobody panics with it").push(claim);
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// An abstract socket name, which only one process can have at a time; the kernel frees it when the process ends.
fn claim(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("glasspoll-tests-port-{port}")).expect("a short name");
    UnixListener::bind_addr(&name).ok()
}
