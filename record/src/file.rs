//! Records on disk: the contents of the rings of any number of processes.
//!
//! A file has `glasspoll record` and the version, then chunks: u32 kind, u32 length, u32 check, and `length`
//! bytes. It is written while things happen. If the machine or the program ends early, the file ends in the
//! middle, and can be read up to there.
//!
//! | kind | bytes |
//! |---|---|
//! | 1 note | text `key=value` |
//! | 2 ring | u32 id of the ring in this file, the first page of the ring |
//! | 3 block | u32 ring, 1024 bytes |
//! | 4 items | u32 ring, u64 ticks, u64 ns, the first page, the entries |
//! | 5 name | u32 ring, u32 kind (0 comm, 1 command line, 2 thread, 3 file), i32 thread id or fd, u64 ns, text |
//! | 6 moment | u32 ring, u64 ticks, u64 ns |
//! | 7 lost | u32 ring, u64 blocks |
//! | 8 end | u32 ring, u64 ns, u32 whether the status is known, i32 status |
//! | 9 facts | u32 ring, u64 ticks, u64 ns, for each descriptor i32 fd and its entry (`facts`); after the items |
//! | 10 stacks | u32 ring, the modules and call stacks (`stacks::Stacks::to_bytes`) |
//! | 11 sample | u32 ring, what a thread did at a moment (`sample`) |
//! | 12 accept queue | u32 ring, u64 ns, i32 fd, u32 length, u32 limit, u32 drops, u64 inode |

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use crate::accept_queue::AcceptQueue;
use crate::clock::Moment;
use crate::layout;
use crate::process::Process;
use crate::ring::{parse_facts, parse_items, u32_at, u64_at, Block, Header, Page};
use crate::sample::Sample;
use crate::stacks::Stacks;

const MAGIC: &[u8; 16] = b"glasspoll record";
/// A reader refuses longer chunks.
const LONGEST: usize = 64 << 20;

const NOTE: u32 = 1;
const RING: u32 = 2;
const BLOCK: u32 = 3;
const ITEMS: u32 = 4;
const NAME: u32 = 5;
const MOMENT: u32 = 6;
const LOST: u32 = 7;
const END: u32 = 8;
const FACTS: u32 = 9;
const STACKS: u32 = 10;
const SAMPLE: u32 = 11;
const ACCEPT_QUEUE: u32 = 12;

/// What a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The program, as in `/proc/PID/comm`.
    Comm,
    /// The command line.
    Command,
    /// A thread.
    Thread(u32),
    /// The file behind an fd.
    File(i32),
}

/// The check of a chunk: FNV-1a.
pub fn check(kind: u32, bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5 ^ kind;
    for byte in bytes {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash
}

/// Writes a record to a file while things happen.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Errors of writing, as in all methods below.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&layout::VERSION.to_le_bytes())?;
        Ok(Self { out })
    }

    fn chunk(&mut self, kind: u32, parts: &[&[u8]]) -> io::Result<()> {
        let bytes = parts.concat();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&(bytes.len() as u32).to_le_bytes())?;
        self.out.write_all(&check(kind, &bytes).to_le_bytes())?;
        self.out.write_all(&bytes)
    }

    /// Writes a note: a line `key=value`.
    pub fn note(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.chunk(NOTE, &[format!("{key}={value}").as_bytes()])
    }

    /// Writes the first page of a ring, whose id is `ring` from here on.
    pub fn ring(&mut self, ring: u32, page: &Page) -> io::Result<()> {
        self.chunk(RING, &[&ring.to_le_bytes(), page])
    }

    /// Writes a block of the ring.
    pub fn block(&mut self, ring: u32, block: &Block) -> io::Result<()> {
        self.chunk(BLOCK, &[&ring.to_le_bytes(), block])
    }

    /// Writes the ring's items, as they were at a moment.
    pub fn items(&mut self, ring: u32, now: Moment, page: &Page, entries: &[u8]) -> io::Result<()> {
        let [ticks, ns] = [now.ticks, now.ns].map(u64::to_le_bytes);
        self.chunk(ITEMS, &[&ring.to_le_bytes(), &ticks, &ns, page, entries])
    }

    /// Writes what is known of the process's descriptors, as it was at a moment, after the items.
    pub fn facts(&mut self, ring: u32, now: Moment, entries: &[u8]) -> io::Result<()> {
        let [ticks, ns] = [now.ticks, now.ns].map(u64::to_le_bytes);
        self.chunk(FACTS, &[&ring.to_le_bytes(), &ticks, &ns, entries])
    }

    /// Writes the name of a thread, a file, or the process.
    pub fn name(&mut self, ring: u32, named: Named, ns: u64, text: &str) -> io::Result<()> {
        let (kind, number) = match named {
            Named::Comm => (0u32, 0),
            Named::Command => (1, 0),
            Named::Thread(tid) => (2, tid as i32),
            Named::File(fd) => (3, fd),
        };
        let parts: [&[u8]; 5] = [
            &ring.to_le_bytes(),
            &kind.to_le_bytes(),
            &number.to_le_bytes(),
            &ns.to_le_bytes(),
            text.as_bytes(),
        ];
        self.chunk(NAME, &parts)
    }

    /// Writes a moment in both kinds of time. The later it is, the more exact are the times of events.
    pub fn moment(&mut self, ring: u32, now: Moment) -> io::Result<()> {
        let [ticks, ns] = [now.ticks, now.ns].map(u64::to_le_bytes);
        self.chunk(MOMENT, &[&ring.to_le_bytes(), &ticks, &ns])
    }

    /// Notes that `blocks` more blocks were overwritten before they could be read.
    pub fn lost(&mut self, ring: u32, blocks: u64) -> io::Result<()> {
        self.chunk(LOST, &[&ring.to_le_bytes(), &blocks.to_le_bytes()])
    }

    /// Writes how full the queue of a listener is.
    pub fn accept_queue(&mut self, ring: u32, queue: &AcceptQueue) -> io::Result<()> {
        self.chunk(ACCEPT_QUEUE, &[&ring.to_le_bytes(), &queue.to_bytes()])
    }

    /// Notes that the process has ended.
    pub fn end(&mut self, ring: u32, ns: u64, status: Option<i32>) -> io::Result<()> {
        let known = u32::from(status.is_some());
        let status = status.unwrap_or(0);
        self.chunk(
            END,
            &[&ring.to_le_bytes(), &ns.to_le_bytes(), &known.to_le_bytes(), &status.to_le_bytes()],
        )
    }

    /// Writes the call stacks by which items were added, and all that came before of the ring. None: nothing.
    pub fn stacks(&mut self, ring: u32, stacks: &Stacks) -> io::Result<()> {
        match stacks.is_empty() {
            true => Ok(()),
            false => self.chunk(STACKS, &[&ring.to_le_bytes(), &stacks.to_bytes()]),
        }
    }

    /// Writes what a thread did at a moment.
    pub fn sample(&mut self, ring: u32, sample: &Sample) -> io::Result<()> {
        self.chunk(SAMPLE, &[&ring.to_le_bytes(), &sample.to_bytes()])
    }

    /// Flushes what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A record that was read from a file.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Its notes.
    pub notes: BTreeMap<String, String>,
    /// The processes, in the order in which they appeared.
    pub processes: Vec<Process>,
    /// What is wrong with the file, in words: it ends in the middle, say. The part before that is right.
    pub trouble: Option<String>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong, in words, if the file is no record, or has another version.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::read(BufReader::with_capacity(1 << 20, file))
            .map_err(|what| format!("{}: {what}", path.display()))
    }

    /// Reads a record from any source.
    ///
    /// # Errors
    /// As above.
    pub fn read(mut from: impl Read) -> Result<Self, String> {
        let mut head = [0; 20];
        from.read_exact(&mut head)
            .map_err(|_| "this is no record of glasspoll's: it is too short".to_owned())?;
        if &head[..16] != MAGIC {
            return Err("this is no record of glasspoll's".into());
        }
        let version = u32_at(&head, 16);
        if version != layout::VERSION {
            let known = layout::VERSION;
            return Err(format!("the record has version {version}; this program knows version {known}: use the glasspoll that wrote it"));
        }
        let mut recording = Self::default();
        let mut rings = BTreeMap::new();
        let mut count = 0;
        loop {
            match read_chunk(&mut from) {
                Ok(None) => break,
                Ok(Some((kind, bytes))) => {
                    count += 1;
                    if let Err(what) = recording.take(&mut rings, kind, &bytes) {
                        recording.trouble = Some(format!("part {count} makes no sense: {what}"));
                    }
                }
                Err(what) => {
                    recording.trouble = Some(format!("after part {count}: {what}; what came before is used"));
                    break;
                }
            }
        }
        for process in &mut recording.processes {
            process.finish();
        }
        Ok(recording)
    }

    fn take(&mut self, rings: &mut BTreeMap<u32, usize>, kind: u32, bytes: &[u8]) -> Result<(), String> {
        if kind == NOTE {
            let text = String::from_utf8_lossy(bytes);
            if let Some((key, value)) = text.split_once('=') {
                self.notes.insert(key.into(), value.into());
            }
            return Ok(());
        }
        let ring = u32_at(bytes, 0);
        let rest = bytes.get(4..).ok_or("it is too short")?;
        if kind == RING {
            let page = rest.try_into().map_err(|_| "a page has 4096 bytes")?;
            let header = Header::parse(page)?;
            rings.insert(ring, self.processes.len());
            self.processes.push(Process::new(header));
            return Ok(());
        }
        let process = rings.get(&ring).and_then(|at| self.processes.get_mut(*at));
        let process = process.ok_or_else(|| format!("there is no ring {ring}"))?;
        match kind {
            BLOCK => process.add_block(rest.try_into().map_err(|_| "a block has 1024 bytes")?),
            ITEMS => {
                let now = Moment { ticks: u64_at(rest, 0), ns: u64_at(rest, 8) };
                let page = rest.get(16..16 + layout::HEADER).ok_or("it is too short")?;
                let header = Header::parse(page.try_into().map_err(|_| "it is too short")?)?;
                process.items = parse_items(&header, now, &rest[16 + layout::HEADER..]);
                (process.header, process.items_ns) = (header, now.ns);
            }
            NAME => {
                let text = String::from_utf8_lossy(rest.get(16..).ok_or("it is too short")?).into_owned();
                let (number, ns) = (u32_at(rest, 4), u64_at(rest, 8));
                let named = match u32_at(rest, 0) {
                    0 => Named::Comm,
                    1 => Named::Command,
                    2 => Named::Thread(number),
                    3 => Named::File(number as i32),
                    _ => return Ok(()),
                };
                process.name(named, ns, text);
            }
            MOMENT => process.taken = Moment { ticks: u64_at(rest, 0), ns: u64_at(rest, 8) },
            LOST => process.lost_blocks = process.lost_blocks.saturating_add(u64_at(rest, 0)),
            END => {
                let status = (u32_at(rest, 8) != 0).then(|| u32_at(rest, 12) as i32);
                process.ended = Some((u64_at(rest, 0), status));
            }
            STACKS => process.stacks = Stacks::parse(rest).ok_or("its stacks make no sense")?,
            ACCEPT_QUEUE => process.accept_queues.extend(AcceptQueue::parse(rest)),
            FACTS => {
                let now = Moment { ticks: u64_at(rest, 0), ns: u64_at(rest, 8) };
                let entries = rest.get(16..).ok_or("it is too short")?;
                process.facts = parse_facts(&process.header, now, entries);
            }
            SAMPLE => process.sample(Sample::from_bytes(rest).ok_or("it is too short")?),
            // A later program with the same version wrote it: it can be skipped.
            _ => {}
        }
        Ok(())
    }
}

/// A chunk; None at the end of the file.
fn read_chunk(from: &mut impl Read) -> Result<Option<(u32, Vec<u8>)>, String> {
    let mut head = [0; 12];
    let mut got = 0;
    while got < head.len() {
        match from.read(&mut head[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err("it ends in the middle".into()),
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let [kind, len, expected] = [0, 4, 8].map(|at| u32_at(&head, at));
    if len as usize > LONGEST {
        return Err("it is damaged".into());
    }
    let mut bytes = Vec::new();
    let read = from.take(u64::from(len)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if read < len as usize {
        return Err("it ends in the middle".into());
    }
    if check(kind, &bytes) != expected {
        return Err("it is damaged".into());
    }
    Ok(Some((kind, bytes)))
}
