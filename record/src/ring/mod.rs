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

pub use self::head::{Habits, Header};
pub use self::item::{parse_items, Item};
pub use self::known::{parse_facts, Facts};
use crate::clock::Moment;
use crate::layout::{self, block, header};
use crate::mutation::is;
use crate::stacks::Stacks;

mod head;
mod item;
mod known;

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

    /// A block, if it is still there.
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
