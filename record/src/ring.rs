//! Reads the ring of a process that runs, or has just ended, without disturbing it.
//!
//! All reads are by pread(2), so a ring that shrinks or lies does no harm. The process may be hostile: a file
//! under the name of a ring is opened only if it is a regular file, and accepted only if it is a memfd that can
//! neither shrink nor grow and has the size that its header says.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::clock::Moment;
use crate::facts::{self, Born};
use crate::items;
use crate::layout::{self, block, header};
use crate::mutation::is;
use crate::stacks::{self, Stacks};

/// The most open blocks that are asked one by one whether they have news.
const FEW: usize = 32;

/// The bytes of a block.
pub type Block = [u8; layout::BLOCK];
/// The bytes of the header.
pub type Page = [u8; layout::HEADER];

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(word.try_into().unwrap_or_default()))
}

/// How often the program did by itself, a second or more later, what an event would have told it to do: such a program
/// may put off other things on purpose, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Reads.
    pub came_back: u32,
    /// One-shot items that were armed again.
    pub rearmed: u32,
    /// Refused writes that were tried again without an event.
    pub retried: u32,
    /// Descriptors that came by accept(2) on a watched listener, or in a message.
    pub born: u32,
    /// Those of them that were touched so late for the first time.
    pub late: u32,
    /// When the process forked last, in the unit of facts; 0: never.
    last_fork: u32,
}

/// What the header says.
#[derive(Clone, Debug)]
pub struct Header {
    /// How many blocks there are.
    pub blocks: u32,
    /// How many items the ring has room for.
    pub capacity: u32,
    /// The process.
    pub pid: u32,
    /// Its parent when the ring was made.
    pub ppid: u32,
    /// Ticks are those of the processor's counter.
    pub counts: bool,
    /// The times at which files became ready are exact.
    pub exact: bool,
    /// The process was forked with sets of its parent.
    pub forked: bool,
    /// The kernel's epoll answers, and the library only records.
    pub observed: bool,
    /// How many call stacks there is room for; 0: none are kept.
    pub stacks: u32,
    /// Where they begin, in pages.
    pub stacks_at: u32,
    /// When the ring was made.
    pub begin: Moment,
    /// The same in nanoseconds since 1970.
    pub realtime: u64,
    /// Of how many fds facts are kept.
    pub fds: u32,
    /// How often the program came back to something by itself.
    pub habits: Habits,
    /// How many entries of items have ever been in use.
    pub items: u32,
    /// How many items were left out because there was no room.
    pub left_out: u32,
    /// Serial numbers of items, and when they were given, in milliseconds since the ring was made.
    pub moments: Vec<(u32, u32)>,
}

impl Header {
    /// Parses it from the first page.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(page: &Page) -> Result<Self, String> {
        if u64_at(page, header::MAGIC) != layout::MAGIC {
            return Err("this is no record of glasspoll's".into());
        }
        let word = |at| u32_at(page, at);
        let version = word(header::VERSION);
        if version != layout::VERSION {
            let known = layout::VERSION;
            return Err(format!("the record has version {version}; this program knows version {known}: use the glasspoll that belongs to the library"));
        }
        let moments = (word(header::MOMENTS) as usize).min(layout::MOMENTS);
        let at = |n: usize| header::FIRST_MOMENT + 8 * n;
        let head = Self {
            blocks: word(header::BLOCKS),
            capacity: word(header::CAPACITY),
            pid: word(header::PID),
            ppid: word(header::PPID),
            counts: word(header::CLOCK) == 1,
            exact: word(header::EXACT) == 1,
            forked: word(header::FORKED) == 1,
            observed: word(header::OBSERVED) == 1,
            stacks: word(header::STACKS).min(stacks::STACKS),
            stacks_at: word(header::STACKS_AT),
            begin: Moment { ticks: u64_at(page, header::TICKS), ns: u64_at(page, header::NS) },
            realtime: u64_at(page, header::REALTIME),
            fds: word(header::FDS),
            habits: Habits {
                came_back: word(header::CAME_BACK),
                rearmed: word(header::REARMED),
                retried: word(header::RETRIED),
                born: word(header::BORN),
                late: word(header::LATE),
                last_fork: word(header::LAST_FORK),
            },
            items: word(header::ITEMS),
            left_out: word(header::LEFT_OUT),
            moments: (0..moments).map(|n| (word(at(n)), word(at(n) + 4))).collect(),
        };
        let makes_sense = (1..=layout::MOST_BLOCKS).contains(&head.blocks)
            && head.capacity <= layout::MOST_ITEMS
            && head.items <= head.capacity
            && head.fds <= layout::MOST_FDS;
        if !makes_sense {
            return Err("the record's header makes no sense".into());
        }
        Ok(head)
    }

    /// When the item with this serial number was added, in nanoseconds of CLOCK_MONOTONIC: not before the first
    /// time, and before the second, if there is one.
    pub fn added(&self, serial: u32) -> (u64, Option<u64>) {
        let ns = |ms: u32| self.begin.ns.saturating_add(u64::from(ms) * 1_000_000);
        let after = self.moments.partition_point(|(first, _)| *first <= serial);
        let from = after.checked_sub(1).and_then(|n| self.moments.get(n));
        (from.map_or(self.begin.ns, |(_, ms)| ns(*ms)), self.moments.get(after).map(|(_, ms)| ns(*ms)))
    }
}

/// An entry: an item, or a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The id of the set.
    pub epoll: u32,
    /// The entry is a set, and `fd` its descriptor.
    pub is_set: bool,
    /// The fd by which the item was added.
    pub fd: i32,
    /// The item's serial number.
    pub serial: u32,
    /// Interest and flags.
    pub interest: u32,
    /// It is on the ready list.
    pub queued: bool,
    /// It is hot: the waiting thread asks the file itself.
    pub hot: bool,
    /// EPOLLONESHOT has silenced it.
    pub disarmed: bool,
    /// How many events were delivered; for a set, how many waits have returned.
    pub delivered: u32,
    /// While it is queued: since when; otherwise when it was last delivered, if it was. CLOCK_MONOTONIC.
    pub since_ns: Option<u64>,
}

/// Parses the items from their bytes, which were read at `now`.
pub fn parse_items(head: &Header, now: Moment, bytes: &[u8]) -> Vec<Item> {
    let unit = if head.counts { items::FINE } else { items::FINE_NS };
    let speed = head.begin.speed(now).unwrap_or(1.0);
    let ago = now.ticks.saturating_sub(head.begin.ticks);
    let mut all = Vec::new();
    for entry in bytes.chunks_exact(layout::ITEM) {
        let [a, b, delivered, serial, time] = [0, 4, 8, 12, 16].map(|at| u32_at(entry, at));
        if a & items::USED == 0 {
            continue;
        }
        let queued = a & items::QUEUED != 0;
        let shift = if queued { unit } else { unit + items::COARSER };
        // The time has 32 bits and wraps around.
        let passed = ((ago >> shift) as u32).wrapping_sub(time);
        let passed = if passed > u32::MAX - (1 << 20) { 0 } else { u64::from(passed) << shift };
        let since = now.ns.saturating_sub((passed as f64 * speed) as u64);
        let interest = b & items::INTEREST;
        let is_set = a & items::SET != 0;
        all.push(Item {
            epoll: a >> items::LOW | (b & !items::INTEREST) >> 14 << items::LOW_BITS,
            is_set,
            fd: (a & items::FD) as i32,
            serial,
            interest,
            queued,
            hot: a & items::HOT != 0,
            disarmed: !is_set && interest & !0xf000_0000 == 0,
            delivered,
            since_ns: (queued || delivered != 0).then_some(since),
        });
    }
    all
}

/// What is known of a descriptor, since its number got its file. Times are CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When an event was last delivered, and which.
    pub delivered: Option<(u64, u32)>,
    /// An event was delivered since the last read.
    pub told: bool,
    /// When it was last read or accepted from.
    pub read_ns: Option<u64>,
    /// How that ended, and how many bytes it got, or the errno.
    pub read: Option<(facts::Result, u32)>,
    /// When a write was refused, if none has succeeded since.
    pub refused_ns: Option<u64>,
    /// How many in a row.
    pub refusals: u32,
    /// Since then EPOLLOUT was asked for.
    pub asked: bool,
    /// Since then, and since the last change of the item, EPOLLOUT was delivered.
    pub told_room: bool,
    /// An event was delivered since the last change of the item.
    pub taken: bool,
    /// When it was last added, or its item changed.
    pub changed_ns: Option<u64>,
    /// How it came, and when, if the program has not touched it since.
    pub born: Option<(Born, u64)>,
    /// The process has forked since.
    pub forked_since_born: bool,
    /// The entry itself: as long as it is the same, nothing was done with the descriptor.
    pub words: [u32; layout::FD / 4],
}

/// Parses what is known of descriptors from bytes that were read at `now`.
pub fn parse_facts(head: &Header, now: Moment, bytes: &[u8]) -> BTreeMap<i32, Facts> {
    let shift = items::COARSER + if head.counts { items::FINE } else { items::FINE_NS };
    let speed = head.begin.speed(now).unwrap_or(1.0);
    let ago = (now.ticks.saturating_sub(head.begin.ticks) >> shift) as u32;
    let ns = |passed: u32| now.ns.saturating_sub(((u64::from(passed) << shift) as f64 * speed) as u64);
    // A time that is a moment ahead of ours counts as now.
    let passed = |time: u32| Some(ago.wrapping_sub(time)).filter(|passed| *passed < 1 << 31).unwrap_or(0);
    let time = |time: u32| (time != 0).then(|| ns(passed(time)));
    let mut all = BTreeMap::new();
    for entry in bytes.chunks_exact(4 + layout::FD) {
        let word = |n: usize| u32_at(entry, 4 + n * 4);
        let (result, since, born) = (word(facts::RESULT), word(facts::SINCE), word(facts::BORN));
        let how = match born >> facts::HOW {
            1 => Some(Born::Accepted),
            2 => Some(Born::Received),
            _ => None,
        };
        let age = ago.wrapping_sub(born) & facts::WHEN;
        let age = if age > facts::WHEN / 2 { 0 } else { age };
        let forked = head.habits.last_fork;
        let facts = Facts {
            delivered: time(word(facts::DELIVERED)).map(|ns| (ns, word(facts::EVENTS))),
            told: result & facts::TOLD != 0,
            read_ns: time(word(facts::READ)),
            read: facts::Result::of(result >> facts::KIND & 7).map(|how| (how, result & facts::AMOUNT)),
            refused_ns: time(word(facts::REFUSED)),
            refusals: since & facts::REFUSALS,
            asked: since & facts::ASKED != 0,
            told_room: since & facts::ROOM != 0,
            taken: since & facts::TAKEN != 0,
            changed_ns: time(word(facts::CHANGED)),
            born: how.map(|how| (how, ns(age))),
            forked_since_born: how.is_some() && forked != 0 && passed(forked) <= age,
            words: std::array::from_fn(word),
        };
        all.insert(u32_at(entry, 0) as i32, facts);
    }
    all
}

/// The result of `Live::drain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// How many blocks were passed to the caller.
    pub blocks: u64,
    /// How many blocks were overwritten before they could be read.
    pub lost: u64,
}

/// A source of the bytes of a ring.
pub trait Source {
    /// Reads all of `buf` at an offset, in no particular order. Like a pread(2), one read ends before the next
    /// begins.
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()>;
}

impl Source for File {
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buf, at)
    }
}

/// The ring of a process.
#[derive(Debug)]
pub struct Live<S = File> {
    file: S,
    head: Header,
    /// The number of the first block that has not been read.
    next: u64,
    /// Blocks that were not full when they were read, by number.
    open: Vec<u64>,
}

impl Live<File> {
    /// Opens the memfd, by its path in /proc.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        // Checked before it is opened: to open a FIFO would block, and to open a device may do anything.
        let found = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).map_err(failed)?;
        if !found.metadata().map_err(failed)?.is_file() {
            return Err("this is no record of glasspoll's".into());
        }
        let again = format!("/proc/self/fd/{}", found.as_raw_fd());
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        Self::sealed(OpenOptions::new().read(true).custom_flags(flags).open(again).map_err(failed)?)
    }

    /// Uses a descriptor of the memfd that was received from another process.
    ///
    /// # Errors
    /// As above.
    pub fn sealed(file: File) -> Result<Self, String> {
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
        // SAFETY: numbers.
        let has = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        if has < 0 || has & seals != seals {
            return Err("this is no record of glasspoll's: its size is not fixed".into());
        }
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        let live = Self::of(file)?;
        if size < layout::size(live.head.blocks, live.head.capacity, live.head.fds) as u64 {
            return Err("the record is smaller than its header says".into());
        }
        Ok(live)
    }
}

impl<S: Source> Live<S> {
    /// Uses a ring of our own.
    ///
    /// # Errors
    /// As above.
    pub fn of(file: S) -> Result<Self, String> {
        let head = Header::parse(&page(&file).map_err(|error| error.to_string())?)?;
        Ok(Self { file, head, next: 0, open: Vec::new() })
    }

    /// The header as it was when the ring was opened.
    pub fn header(&self) -> &Header {
        &self.head
    }

    /// The first page as it is now.
    ///
    /// # Errors
    /// What pread(2) gives.
    pub fn page(&self) -> io::Result<Page> {
        page(&self.file)
    }

    /// Now, in the ring's ticks, which are the same on all processors of the machine.
    pub fn now(&self) -> Moment {
        Moment::now(self.head.counts)
    }

    /// How many blocks are noted to be read again: at most as many as there are.
    pub fn kept(&self) -> usize {
        self.open.len()
    }

    /// Passes all full blocks that are new to the caller, oldest first. With `all`, also those that are not
    /// full; these may come again later, longer.
    ///
    /// # Errors
    /// What pread(2) gives.
    pub fn drain(&mut self, all: bool, mut take: impl FnMut(&Block)) -> io::Result<Drained> {
        let mut word = [0; 8];
        self.file.read_exact_at(&mut word, header::NEXT as u64)?;
        let next = u64::from_le_bytes(word);
        let blocks = u64::from(self.head.blocks);
        let mut drained = Drained::default();
        let oldest = next.saturating_sub(blocks);
        let open = std::mem::take(&mut self.open);
        let late = oldest.saturating_sub(self.next);
        drained.lost = late;
        // Another thread has taken the block of a thread that slept. We have seen all its records, unless we
        // are too late as well.
        let open_lost = u64::from(late != 0);
        let fresh = self.next.max(oldest)..next;
        let all_of_them =
            open.into_iter().map(|number| (number, open_lost)).chain(fresh.map(|number| (number, 1)));
        for (number, lost) in all_of_them {
            match self.block(number)? {
                None => drained.lost = drained.lost.saturating_add(lost),
                Some(bytes) => {
                    let len = u32_at(&bytes, block::LEN) as usize;
                    let is_full = len >= layout::RECORDS;
                    if !is_full {
                        self.open.push(number);
                    }
                    // The memory of a ring that was never written to does not exist, and reading must not
                    // allocate it.
                    if is_full || all && len != 0 {
                        drained.blocks += 1;
                        take(&bytes);
                    }
                }
            }
        }
        // A ring that lies must not make us note more blocks than there are.
        let surplus = self.open.len().saturating_sub(self.head.blocks as usize);
        self.open.drain(..surplus);
        self.next = next.max(self.next);
        Ok(drained)
    }

    /// A block, if it is still there.
    /// Whether something was written since the last `drain`, in a few short reads. `taken` says how many records of an
    /// open block were taken.
    pub fn has_news(&self, taken: impl Fn(u64) -> usize) -> bool {
        let at =
            |number: u64| layout::HEADER as u64 + number % u64::from(self.head.blocks) * layout::BLOCK as u64;
        let (mut next, mut len) = ([0; 8], [0; 4]);
        let is_old = |number: &u64| {
            let read = self.file.read_exact_at(&mut len, at(*number) + block::LEN as u64);
            read.is_ok() && u32::from_le_bytes(len) as usize == taken(*number)
        };
        self.open.len() > FEW
            || self.file.read_exact_at(&mut next, header::NEXT as u64).is_err()
            || u64::from_le_bytes(next) != self.next
            || !self.open.iter().all(is_old)
    }

    fn block(&self, number: u64) -> io::Result<Option<Block>> {
        let at = layout::HEADER as u64 + number % u64::from(self.head.blocks) * layout::BLOCK as u64;
        // Reads the length first: one read copies in no particular order, and could find a length without its
        // records.
        let mut head = [0; block::RECORDS];
        let mut bytes = [0; layout::BLOCK];
        if is("the_length_is_read_last") {
            self.file.read_exact_at(&mut bytes, at)?;
            self.file.read_exact_at(&mut head, at)?;
        } else {
            self.file.read_exact_at(&mut head, at)?;
            self.file.read_exact_at(&mut bytes, at)?;
        }
        let mut serial = [0; 8];
        self.file.read_exact_at(&mut serial, at + block::SERIAL as u64)?;
        bytes[..block::RECORDS].copy_from_slice(&head);
        // A block that was just taken has no serial number yet, and no record either.
        if u64_at(&head, block::SERIAL) == 0 {
            bytes[block::LEN..block::LEN + 4].fill(0);
            bytes[..8].copy_from_slice(&(number + 1).to_le_bytes());
            return Ok(Some(bytes));
        }
        let is_it = |found: u64| found == number + 1 || is("a_block_is_not_checked_again");
        Ok((is_it(u64_at(&head, block::SERIAL)) && is_it(u64::from_le_bytes(serial))).then_some(bytes))
    }

    /// The entries of all items, as bytes.
    ///
    /// # Errors
    /// What pread(2) gives.
    pub fn items(&self, head: &Header) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; head.items as usize * layout::ITEM];
        self.file.read_exact_at(&mut bytes, layout::items(self.head.blocks) as u64)?;
        Ok(bytes)
    }

    /// The call stacks by which items were added, as of a header that was just read.
    ///
    /// # Errors
    /// What pread(2) gives.
    pub fn stacks(&self, head: &Header) -> io::Result<Stacks> {
        Stacks::read(&self.file, head)
    }

    /// What is known of descriptors: the entries that are in use, each with its fd before it.
    ///
    /// # Errors
    /// What pread(2) gives.
    pub fn facts(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.head.fds as usize * layout::FD];
        let at = layout::facts(self.head.blocks, self.head.capacity) as u64;
        self.file.read_exact_at(&mut bytes, at)?;
        let entries = bytes.chunks_exact(layout::FD).zip(0u32..);
        let used = entries.filter(|(entry, _)| entry.iter().any(|byte| *byte != 0));
        Ok(used.flat_map(|(entry, fd)| fd.to_le_bytes().into_iter().chain(entry.iter().copied())).collect())
    }

    /// What is known of descriptors now, by fd.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read_facts(&self) -> Result<(Header, BTreeMap<i32, Facts>), String> {
        let head = Header::parse(&self.page().map_err(|error| error.to_string())?)?;
        let bytes = self.facts().map_err(|error| error.to_string())?;
        let facts = parse_facts(&head, self.now(), &bytes);
        Ok((head, facts))
    }

    /// The items that there are now.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read_items(&self) -> Result<(Header, Vec<Item>), String> {
        let head = Header::parse(&self.page().map_err(|error| error.to_string())?)?;
        let bytes = self.items(&head).map_err(|error| error.to_string())?;
        let items = parse_items(&head, self.now(), &bytes);
        Ok((head, items))
    }
}

fn page(file: &impl Source) -> io::Result<Page> {
    let mut page = [0; layout::HEADER];
    file.read_exact_at(&mut page, 0)?;
    Ok(page)
}
