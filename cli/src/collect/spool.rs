//! Writes what is gathered to a file as it comes, so that the file has it even if the program or this command is
//! killed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use glasspoll_record::clock::Moment;
use glasspoll_record::file::Writer;
use glasspoll_record::layout::{self, block};
use glasspoll_record::ring::{Block, Live, Page};
use glasspoll_record::stacks::Stacks;

use crate::collect::News;
use crate::procfs::net;

/// How often blocks that are not full are written.
const OPEN: Duration = Duration::from_secs(1);

/// The file. After the first failure nothing more is written.
pub struct Spool {
    writer: Writer<BufWriter<File>>,
    trouble: Option<io::Error>,
    /// The rings that are written to, and whether their ticks are the processor's.
    rings: BTreeMap<u32, bool>,
    /// For each block that was not full when written, by ring and serial number: how many records it had.
    open: BTreeMap<(u32, u64), u32>,
    open_due: Instant,
}

impl Spool {
    /// Begins a file for a program.
    pub fn new(file: File, program: &[OsString]) -> io::Result<Self> {
        let words: Vec<_> = program.iter().map(|word| word.to_string_lossy()).collect();
        let mut writer = Writer::new(BufWriter::with_capacity(1 << 18, file))?;
        writer.note("glasspoll", env!("CARGO_PKG_VERSION"))?;
        writer.note("command", &words.join(" "))?;
        note_limit(&mut writer)?;
        writer.flush()?;
        let (rings, open) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { writer, trouble: None, rings, open, open_due: Instant::now() })
    }

    fn write(&mut self, write: impl FnOnce(&mut Writer<BufWriter<File>>) -> io::Result<()>) {
        if self.trouble.is_none() {
            self.trouble = write(&mut self.writer).err();
        }
    }

    /// There is a new ring.
    pub fn begin(&mut self, ring: u32, live: &Live) {
        if let Ok(page) = live.page() {
            self.rings.insert(ring, live.header().counts);
            self.write(|writer| writer.ring(ring, &page));
        }
    }

    /// A block; it may have come before with fewer records. A block that is not full can wait, unless `now` is set.
    pub fn block(&mut self, ring: u32, bytes: &Block, now: bool) {
        let (serial, len) = (word(bytes, block::SERIAL), word(bytes, block::LEN) as u32);
        let key = (ring, serial);
        if len as usize >= layout::RECORDS {
            self.open.remove(&key);
        } else if !now && Instant::now() < self.open_due || self.open.get(&key).copied().unwrap_or(0) >= len {
            return;
        } else {
            self.open.insert(key, len);
        }
        self.write(|writer| writer.block(ring, bytes));
    }

    /// The items of a ring at its end, and what is known of descriptors.
    pub fn items(&mut self, ring: u32, now: Moment, page: &Page, entries: &[u8], facts: &[u8]) {
        self.write(|writer| writer.items(ring, now, page, entries));
        self.write(|writer| writer.facts(ring, now, facts));
    }

    /// The call stacks of a ring at its end.
    pub fn stacks(&mut self, ring: u32, stacks: &Stacks) {
        self.write(|writer| writer.stacks(ring, stacks));
    }

    /// Writes names, samples and ends, and flushes.
    pub fn keep(&mut self, news: &[News]) {
        for news in news {
            match news {
                News::Name { ring, named, ns, text } => {
                    self.write(|writer| writer.name(*ring, *named, *ns, text));
                }
                News::AcceptQueue { ring, queue } => self.write(|writer| writer.accept_queue(*ring, queue)),
                News::Lost { ring, blocks } => self.write(|writer| writer.lost(*ring, *blocks)),
                News::Sample { ring, sample } => self.write(|writer| writer.sample(*ring, sample)),
                News::Ended(ended) => {
                    self.rings.remove(&ended.ring);
                    self.open.retain(|(ring, _), _| *ring != ended.ring);
                    self.write(|writer| writer.moment(ended.ring, ended.at));
                    if let Some(status) = ended.status {
                        self.write(|writer| writer.end(ended.ring, ended.at.ns, status));
                    }
                }
                News::Began { .. } | News::Events { .. } => {}
            }
        }
        if Instant::now() >= self.open_due {
            self.open_due = Instant::now() + OPEN;
            // If the file ends in the middle, its times are exact up to there.
            for (ring, counts) in std::mem::take(&mut self.rings) {
                self.write(|writer| writer.moment(ring, Moment::now(counts)));
                self.rings.insert(ring, counts);
            }
        }
        self.write(Writer::flush);
    }

    /// What went wrong.
    pub fn trouble(self) -> Option<String> {
        self.trouble.map(|error| error.to_string())
    }
}

/// Notes the limit of accept queues.
pub fn note_limit(writer: &mut Writer<impl Write>) -> io::Result<()> {
    net::somaxconn().map_or(Ok(()), |limit| writer.note(net::SOMAXCONN, &limit.to_string()))
}

fn word(bytes: &Block, at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
}
