//! The contents of records: the stations of the event flow, and what the program did with its descriptors.

use std::fmt;

/// epoll_event::events in 18 bits: the events of poll(2), and the four flags.
fn fold(events: u32) -> u64 {
    u64::from(events & 0x3fff | (events >> 28) << 14)
}

fn unfold(bits: u64) -> u32 {
    bits as u32 & 0x3fff | (bits as u32 >> 14 & 0xf) << 28
}

fn two(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$each])* $variant = $number,)*
        }

        impl $name {
            /// The value with this number.
            pub fn of(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name in the log.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// How the library learned that a file became ready.
    Source {
        /// By a real-time signal.
        Signal = 0, "signal";
        /// By poll(2).
        Poll = 1, "poll";
        /// By the waiting thread's own poll(2), in a busy set.
        Hot = 2, "hot";
        /// The queue of signals ran over, so we asked every file.
        Overflow = 3, "overflow";
    }
}

names! {
    /// What the program did with a descriptor.
    Op {
        /// read(2), recv(2), and similar calls.
        Read = 0, "read";
        /// write(2), send(2), and similar calls.
        Write = 1, "write";
        /// accept(2); the result is the new fd.
        Accept = 2, "accept";
        /// shutdown(2).
        Shutdown = 3, "shutdown";
        /// connect(2).
        Connect = 4, "connect";
        /// epoll_wait(2) and its kin on what is no epoll descriptor (any more): it fails at once.
        Wait = 5, "wait";
    }
}

names! {
    /// A call that put a thread to sleep which serves an event loop.
    Call {
        /// read(2), recv(2), and similar calls.
        Read = 0, "read";
        /// write(2), send(2), and similar calls.
        Write = 1, "write";
        /// accept(2).
        Accept = 2, "accept";
        /// connect(2).
        Connect = 3, "connect";
        /// flock(2), lockf(3), or fcntl(2) with F_SETLKW.
        Lock = 4, "lock";
        /// getaddrinfo(3), gethostbyname(3), and their kin.
        Lookup = 5, "name_lookup";
        /// nanosleep(2), sleep(3), and the like; poll(2) and select(2) without descriptors.
        Sleep = 6, "sleep";
        /// waitpid(2) and its kin.
        Wait = 7, "waitpid";
        /// system(3) or pclose(3).
        Command = 8, "system";
        /// poll(2) or select(2) of other descriptors.
        Poll = 9, "poll";
        /// fsync(2) or fdatasync(2).
        Sync = 10, "fsync";
        /// sem_wait(3).
        Semaphore = 11, "sem_wait";
        /// pthread_join(3).
        Join = 12, "pthread_join";
    }
}

names! {
    /// The operation of epoll_ctl(2).
    Ctl {
        /// EPOLL_CTL_ADD.
        Add = 1, "ADD";
        /// EPOLL_CTL_DEL.
        Del = 2, "DEL";
        /// EPOLL_CTL_MOD.
        Mod = 3, "MOD";
        /// No call: the set has had the item before it, or its ADD, was seen.
        Found = 4, "FOUND";
    }
}

names! {
    /// What chaos does to a wait (`chaos`).
    Injection {
        /// The wait returns fewer events than there are.
        Short = 0, "short";
        /// The wait returns the events in another order.
        Reorder = 1, "reorder";
        /// The wait adds an event of a file that is not ready.
        Spurious = 2, "spurious";
        /// The wait ends with EINTR.
        Eintr = 3, "eintr";
        /// The wait begins later.
        Delay = 4, "delay";
        /// An edge is held back until more may have come.
        Coalesce = 5, "coalesce";
        /// An edge is reported again.
        Repeat = 6, "repeat";
    }
}

/// How exactly we know when an item became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It became ready at that time.
    Exactly,
    /// It became ready after that time, at which we last asked the file or it last woke us.
    NotBefore,
}

/// The flag of an edge-triggered item. Linux: `EPOLLET`.
pub const EPOLLET: u32 = 1 << 31;
/// The flag of an item that is reported once. Linux: `EPOLLONESHOT`.
pub const EPOLLONESHOT: u32 = 1 << 30;

/// One record. `epoll` is the id of an epoll instance, counted in each process from 1 and never given twice;
/// `item` is the serial number of an item, likewise (32 bits of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    /// epoll_create(2) returned `epfd`; or a forked child inherited `epfd` from its parent.
    Create { epoll: u32, epfd: i32, inherited: bool },
    /// epoll_ctl(2) ended with `errno`, 0 for success. `item` is 0 if there is none.
    Ctl { epoll: u32, op: Option<Ctl>, fd: i32, events: u32, data: u64, errno: u16, item: u32 },
    /// From now on wakeups of the file come by `source`, or no longer do.
    Arm { fd: i32, source: Source, on: bool },
    /// The file became ready, or may have become ready, for `events` (0: unknown).
    Wakeup { fd: i32, source: Source, events: u32 },
    /// An item went to the ready list, or to the overflow list while a scan is under way.
    Ready { epoll: u32, fd: i32, item: u32, overflow: bool },
    /// A thread begins a wait. `timeout_ns` is -1 for ever.
    WaitEnter { epoll: u32, maxevents: u32, timeout_ns: i64 },
    /// The thread's wait delivered its event number `nth`, `ready_ns` after the item became ready.
    Deliver { epoll: u32, fd: i32, item: u32, events: u32, nth: u16, ready_ns: u64, known: Known },
    /// The wait returned `n` events after `waited_ns`; a negative `n` is an errno.
    WaitReturn { epoll: u32, n: i32, waited_ns: u64 },
    /// The last descriptor of a watched file is gone, and `items` items with it. If the file is `shared`, it may live
    /// on in another process: on the kernel's epoll its items then live on, too.
    Release { fd: i32, items: u32, shared: bool },
    /// An fd is closed. `lives_as` is another fd of the same file, -1 if there is none. `errno` is EBADF if the
    /// fd was not open.
    Close { fd: i32, lives_as: i32, errno: u16 },
    /// An fd that is in no set is closed. `maker` is the thread that made it, 0 if that is not known.
    CloseUnwatched { fd: i32, maker: u32 },
    /// `new` is another fd of the file behind `old`.
    Dup { old: i32, new: i32 },
    /// The program read, wrote, or the like. `asked` is the amount that it wanted to transfer.
    Io { fd: i32, op: Op, result: i64, asked: u64, errno: u16 },
    /// The process has a new child.
    Fork { child: i32 },
    /// The process is about to become another program.
    Exec,
    /// A wait with a time-out of 0 has found nothing: short for a `WaitEnter` and a `WaitReturn`, which readers
    /// get instead.
    WaitedForNothing { epoll: u32, maxevents: u32 },
    /// Chaos did something in the set's wait number `wait`. `fd` is -1 if no file is concerned. `amount` is a
    /// number of events (`Short`: not reported; `Reorder`: moved), microseconds (`Delay`, `Eintr`), or the
    /// event mask.
    Chaos { epoll: u32, wait: u32, what: Injection, fd: i32, amount: u32 },
    /// A call that began `ns` ago has kept a thread that has waited on a set before. `fd` is -1 if it is about none.
    /// `result` is the call's own, with `errno` if that is a failure.
    Blocked { fd: i32, call: Call, ns: u64, result: i64, errno: u16 },
}

impl Event {
    /// How many kinds there are: they are numbered from 1 to this.
    pub const KINDS: u8 = 17;

    /// The kind, and its three words.
    #[inline]
    pub fn pack(self) -> (u8, [u64; 3]) {
        match self {
            Event::Create { epoll, epfd, inherited } => (1, [two(epoll, epfd as u32), inherited.into(), 0]),
            Event::Ctl { epoll, op, fd, events, data, errno, item } => {
                let op = op.map_or(0, |op| op as u64);
                let rest = fold(events) | op << 18 | u64::from(errno & 0xfff) << 22 | u64::from(epoll) << 34;
                (2, [two(fd as u32, item), rest, data])
            }
            Event::Arm { fd, source, on } => (3, [two(fd as u32, source as u32 | u32::from(on) << 8), 0, 0]),
            Event::Wakeup { fd, source, events } => (4, [two(fd as u32, source as u32), events.into(), 0]),
            Event::Ready { epoll, fd, item, overflow } => {
                (5, [two(fd as u32, item), two(epoll, overflow.into()), 0])
            }
            Event::WaitEnter { epoll, maxevents, timeout_ns } => {
                (6, [two(epoll, maxevents), timeout_ns as u64, 0])
            }
            Event::Deliver { epoll, fd, item, events, nth, ready_ns, known } => {
                let rest = fold(events) | u64::from(nth) << 18 | u64::from(epoll) << 34;
                let exactly = u64::from(known == Known::Exactly) << 63;
                (7, [two(fd as u32, item), rest, ready_ns & !(1 << 63) | exactly])
            }
            Event::WaitReturn { epoll, n, waited_ns } => (8, [two(epoll, n as u32), waited_ns, 0]),
            Event::Release { fd, items, shared } => (9, [two(fd as u32, items), shared.into(), 0]),
            Event::Close { fd, lives_as, errno } => (10, [two(fd as u32, lives_as as u32), errno.into(), 0]),
            // A reader that does not know the third word takes it for a `Close`.
            Event::CloseUnwatched { fd, maker } => (10, [two(fd as u32, -1i32 as u32), 0, two(1, maker)]),
            Event::Dup { old, new } => (11, [two(old as u32, new as u32), 0, 0]),
            Event::Io { fd, op, result, asked, errno } => {
                (12, [two(fd as u32, op as u32 | u32::from(errno) << 8), result as u64, asked])
            }
            Event::Fork { child } => (13, [child as u32 as u64, 0, 0]),
            Event::Exec => (14, [0; 3]),
            Event::WaitedForNothing { epoll, maxevents } => (15, [two(epoll, maxevents), 0, 0]),
            Event::Chaos { epoll, wait, what, fd, amount } => {
                (16, [two(epoll, wait), two(fd as u32, what as u32), amount.into()])
            }
            Event::Blocked { fd, call, ns, result, errno } => {
                (17, [two(fd as u32, call as u32 | u32::from(errno) << 8), ns, result as u64])
            }
        }
    }

    /// Parses a record. None: the kind is unknown, or the record makes no sense.
    pub fn unpack(kind: u8, [a, b, c]: [u64; 3]) -> Option<Self> {
        let (low, high) = halves(a);
        let epoll = (b >> 34) as u32;
        Some(match kind {
            1 => Event::Create { epoll: low, epfd: high as i32, inherited: b != 0 },
            2 => Event::Ctl {
                epoll,
                op: Ctl::of((b >> 18 & 0xf) as u8),
                fd: low as i32,
                events: unfold(b),
                data: c,
                errno: (b >> 22 & 0xfff) as u16,
                item: high,
            },
            3 => Event::Arm { fd: low as i32, source: Source::of(high as u8)?, on: high >> 8 != 0 },
            4 => Event::Wakeup { fd: low as i32, source: Source::of(high as u8)?, events: b as u32 },
            5 => Event::Ready { epoll: b as u32, fd: low as i32, item: high, overflow: b >> 32 != 0 },
            6 => Event::WaitEnter { epoll: low, maxevents: high, timeout_ns: b as i64 },
            7 => Event::Deliver {
                epoll,
                fd: low as i32,
                item: high,
                events: unfold(b),
                nth: (b >> 18) as u16,
                ready_ns: c & !(1 << 63),
                known: if c >> 63 != 0 { Known::Exactly } else { Known::NotBefore },
            },
            8 => Event::WaitReturn { epoll: low, n: high as i32, waited_ns: b },
            9 => Event::Release { fd: low as i32, items: high, shared: b != 0 },
            10 if c != 0 => Event::CloseUnwatched { fd: low as i32, maker: halves(c).1 },
            10 => Event::Close { fd: low as i32, lives_as: high as i32, errno: b as u16 },
            11 => Event::Dup { old: low as i32, new: high as i32 },
            12 => Event::Io {
                fd: low as i32,
                op: Op::of(high as u8)?,
                result: b as i64,
                asked: c,
                errno: (high >> 8) as u16,
            },
            13 => Event::Fork { child: low as i32 },
            14 => Event::Exec,
            15 => Event::WaitedForNothing { epoll: low, maxevents: high },
            16 => Event::Chaos {
                epoll: low,
                wait: high,
                what: Injection::of((b >> 32) as u8)?,
                fd: b as i32,
                amount: c as u32,
            },
            17 => Event::Blocked {
                fd: low as i32,
                call: Call::of(high as u8)?,
                ns: b,
                result: c as i64,
                errno: (high >> 8) as u16,
            },
            _ => return None,
        })
    }
}

/// `IN|ET` and the like; 0 for none.
#[derive(Clone, Copy)]
pub struct Mask(pub u32);

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 15] = [
            (1, "IN"),
            (2, "PRI"),
            (4, "OUT"),
            (8, "ERR"),
            (0x10, "HUP"),
            (0x40, "RDNORM"),
            (0x80, "RDBAND"),
            (0x100, "WRNORM"),
            (0x200, "WRBAND"),
            (0x400, "MSG"),
            (0x2000, "RDHUP"),
            (1 << 28, "EXCLUSIVE"),
            (1 << 29, "WAKEUP"),
            (1 << 30, "ONESHOT"),
            (1 << 31, "ET"),
        ];
        let mut first = true;
        for (bit, name) in NAMES {
            if self.0 & bit != 0 {
                if !first {
                    f.write_str("|")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        if first {
            f.write_str("0")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let all = [
            Event::Create { epoll: 7, epfd: 5, inherited: true },
            Event::Ctl {
                epoll: (1 << 30) - 1,
                op: Some(Ctl::Mod),
                fd: 1 << 20,
                events: 0xf000_3fff,
                data: u64::MAX,
                errno: 133,
                item: u32::MAX,
            },
            Event::Ctl { epoll: 1, op: None, fd: -1, events: 0, data: 0, errno: 22, item: 0 },
            Event::Arm { fd: 9, source: Source::Hot, on: false },
            Event::Wakeup { fd: 3, source: Source::Overflow, events: 0x2019 },
            Event::Ready { epoll: 3, fd: 4, item: 5, overflow: true },
            Event::WaitEnter { epoll: 1, maxevents: 512, timeout_ns: -1 },
            Event::Deliver {
                epoll: 1,
                fd: 12,
                item: 77,
                events: 0x2001,
                nth: u16::MAX,
                ready_ns: 123_456_789_000,
                known: Known::Exactly,
            },
            Event::WaitReturn { epoll: 1, n: -4, waited_ns: 99 },
            Event::Release { fd: 4, items: 2, shared: true },
            Event::Close { fd: 4, lives_as: -1, errno: 9 },
            Event::CloseUnwatched { fd: 4, maker: 4711 },
            Event::CloseUnwatched { fd: 4, maker: 0 },
            Event::Dup { old: 3, new: 4 },
            Event::Io { fd: 3, op: Op::Accept, result: -1, asked: 0, errno: 24 },
            Event::Fork { child: 4711 },
            Event::Exec,
            Event::WaitedForNothing { epoll: 3, maxevents: 4 },
            Event::Chaos { epoll: 3, wait: 17, what: Injection::Repeat, fd: -1, amount: 5 },
            Event::Blocked { fd: -1, call: Call::Join, ns: 5_000_000, result: -1, errno: 110 },
        ];
        for event in all {
            let (kind, words) = event.pack();
            assert_eq!(Event::unpack(kind, words), Some(event));
        }
        // Older records have no word for it.
        let release = Event::Release { fd: 4, items: 2, shared: false };
        assert_eq!(Event::unpack(9, [4 | 2 << 32, 0, 0]), Some(release));
        assert_eq!(Event::unpack(0, [0; 3]), None);
        assert_eq!(Event::unpack(16, [0, 99 << 32, 0]), None);
        assert_eq!(Event::unpack(200, [0; 3]), None);
    }

    #[test]
    fn masks_read_as_in_epoll_ctl() {
        assert_eq!(Mask(0x8000_2001).to_string(), "IN|RDHUP|ET");
        assert_eq!(Mask(0).to_string(), "0");
    }
}
