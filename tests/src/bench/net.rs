//! TCP connections of a load generator, and kernel epoll over them.

use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Instant;

/// From how many addresses connections come, so that the ports of one address do not run out.
const ADDRESSES: usize = 8;

/// A connection to `port` of 127.0.0.1, from an address that depends on `number`.
pub fn connect(port: u16, number: usize) -> TcpStream {
    try_connect(port, number).unwrap_or_else(|error| panic!("connection {number} to {port}: {error}"))
}

fn try_connect(port: u16, number: usize) -> io::Result<TcpStream> {
    // SAFETY: socket takes three numbers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and no other code has it.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    stream.set_nodelay(true)?;
    let one: i32 = 1;
    let own = address([127, 0, 0, 2 + (number % ADDRESSES) as u8], 0);
    let peer = address([127, 0, 0, 1], port);
    let size = |of| libc::socklen_t::try_from(of).expect("a small size");
    let (int, sockaddr) = (size(mem::size_of::<i32>()), size(mem::size_of_val(&own)));
    // SAFETY: the pointers are to locals of the sizes given.
    unsafe {
        // The port is chosen at connect, when the peer is known, so one port may serve for many peers.
        let option = libc::IP_BIND_ADDRESS_NO_PORT;
        check(libc::setsockopt(fd, libc::IPPROTO_IP, option, (&raw const one).cast(), int))?;
        check(libc::bind(fd, (&raw const own).cast(), sockaddr))?;
        check(libc::connect(fd, (&raw const peer).cast(), sockaddr))?;
    }
    Ok(stream)
}

fn address(ip: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(ip) },
        sin_zero: [0; 8],
    }
}

/// The result, or the error in errno if it is -1.
pub(super) fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// An epoll set of edge-triggered streams, each reported once for each answer.
pub struct Edges(i32);

impl Edges {
    /// The streams, each with its index as data.
    pub fn new<'a>(streams: impl Iterator<Item = &'a TcpStream>) -> Self {
        // SAFETY: epoll_create1 takes a number.
        let set = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("an epoll set");
        for (place, stream) in streams.enumerate() {
            let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
            let mut event = libc::epoll_event { events, u64: place as u64 };
            // SAFETY: the event is a local.
            check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) })
                .expect("a stream in the set");
        }
        Self(set)
    }

    /// As `wait`, but not beyond a moment.
    pub fn wait_until<'a>(
        &self,
        end: Instant,
        events: &'a mut [libc::epoll_event],
    ) -> impl Iterator<Item = usize> + 'a {
        let left = end.saturating_duration_since(Instant::now());
        let left =
            libc::timespec { tv_sec: left.as_secs() as _, tv_nsec: i64::from(left.subsec_nanos()) as _ };
        let mut set = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointers are to locals; there is no signal mask. epoll_wait(2) counts in milliseconds.
        check(unsafe { libc::ppoll(&mut set, 1, &left, std::ptr::null()) }).expect("a wait");
        self.wait_for(events, 0)
    }

    /// The indexes of the ready streams, from the events in `events`; none after a second without any.
    pub fn wait<'a>(&self, events: &'a mut [libc::epoll_event]) -> impl Iterator<Item = usize> + 'a {
        self.wait_for(events, 1000)
    }

    fn wait_for<'a>(&self, events: &'a mut [libc::epoll_event], ms: i32) -> impl Iterator<Item = usize> + 'a {
        let most = i32::try_from(events.len()).expect("few events");
        // SAFETY: the array has room for the events that the call may store.
        let count = check(unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), most, ms) });
        let count = count.expect("a wait");
        events[..count as usize].iter().map(|event| event.u64 as usize)
    }
}
