//! A record of any size that no process recorded: a server with two loops and 300 connections, which come and go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use glasspoll_record::clock::Moment;
use glasspoll_record::event::{Ctl, Event, Known, Op, Source};
use glasspoll_record::file::{Named, Writer};
use glasspoll_record::layout::{self, block, header};

use crate::random::Random;

const PID: u32 = 4711;
const BEGIN: u64 = 1_000_000_000;
const CONNECTIONS: u64 = 300;

/// Writes blocks of events; ticks are nanoseconds.
struct Ring<W: Write> {
    file: Writer<W>,
    serial: u64,
    blocks: Vec<Open>,
}

/// A thread's current block.
struct Open {
    tid: u32,
    begin: u64,
    bytes: Vec<(u64, Event)>,
}

impl<W: Write> Ring<W> {
    fn put(&mut self, thread: usize, ns: u64, event: Event) -> io::Result<()> {
        let open = &mut self.blocks[thread];
        if open.bytes.is_empty() {
            open.begin = ns;
        }
        open.bytes.push((ns, event));
        if open.bytes.len() == layout::RECORDS {
            return self.flush(thread);
        }
        Ok(())
    }

    fn flush(&mut self, thread: usize) -> io::Result<()> {
        let open = &mut self.blocks[thread];
        let records = std::mem::take(&mut open.bytes);
        if records.is_empty() {
            return Ok(());
        }
        self.serial += 1;
        let mut bytes = [0; layout::BLOCK];
        let mut put = |at: usize, word: &[u8]| bytes[at..at + word.len()].copy_from_slice(word);
        put(block::SERIAL, &self.serial.to_le_bytes());
        put(block::TICKS, &open.begin.to_le_bytes());
        put(block::NS, &open.begin.to_le_bytes());
        put(block::TID, &open.tid.to_le_bytes());
        put(block::LEN, &(records.len() as u32).to_le_bytes());
        for (place, (ns, event)) in records.into_iter().enumerate() {
            let (kind, [a, b, c]) = event.pack();
            let first = (ns - open.begin) | u64::from(kind) << 40;
            let check = layout::check(self.serial, place, [first, a, b, c]);
            for (n, word) in [first | check << 48, a, b, c].into_iter().enumerate() {
                put(block::RECORDS + place * layout::RECORD + n * 8, &word.to_le_bytes());
            }
        }
        self.file.block(0, &bytes)
    }
}

fn page() -> [u8; layout::HEADER] {
    let mut page = [0; layout::HEADER];
    let mut put = |at: usize, word: &[u8]| page[at..at + word.len()].copy_from_slice(word);
    put(header::MAGIC, &layout::MAGIC.to_le_bytes());
    for (at, word) in [(header::VERSION, layout::VERSION), (header::BLOCKS, 1 << 20), (header::PID, PID)] {
        put(at, &word.to_le_bytes());
    }
    for at in [header::TICKS, header::NS] {
        put(at, &BEGIN.to_le_bytes());
    }
    put(header::REALTIME, &1_700_000_000_000_000_000u64.to_le_bytes());
    page
}

/// Writes a record of about this many events.
///
/// # Errors
/// If writing fails.
pub fn write(path: &Path, events: u64) -> io::Result<()> {
    write_named(path, events, "server")
}

/// The same, for a program of that name.
///
/// # Errors
/// If writing fails.
pub fn write_named(path: &Path, events: u64, name: &str) -> io::Result<()> {
    let mut file = Writer::new(BufWriter::new(File::create(path)?))?;
    file.ring(0, &page())?;
    file.name(0, Named::Comm, BEGIN, name)?;
    file.name(0, Named::Command, BEGIN, "server --loops 2")?;
    let open = |tid| Open { tid, begin: 0, bytes: Vec::new() };
    let mut ring = Ring { file, serial: 0, blocks: vec![open(PID), open(PID + 1), open(PID + 2)] };
    let mut random = Random(1);
    let mut below = |bound: u64| random.number() % bound;
    let mut count = 0;
    let mut now = [BEGIN; 2];
    let mut items = vec![0u32; CONNECTIONS as usize];
    let mut next_item = 0;
    // When the helper thread last reported something.
    let mut told = BEGIN;
    while count < events {
        // The loop that is behind goes on.
        let this = usize::from(now[1] < now[0]);
        let epoll = this as u32 + 1;
        let ns = &mut now[this];
        let mut put = |ring: &mut Ring<_>, thread, ns, event| {
            count += 1;
            ring.put(thread, ns, event)
        };
        put(&mut ring, this, *ns, Event::WaitEnter { epoll, maxevents: 64, timeout_ns: -1 })?;
        let waited_ns = below(60_000);
        let n = 1 + below(4) * below(3);
        let mut batch = Vec::new();
        for _ in 0..n {
            // Some connections send much, most send little.
            let nth = below(CONNECTIONS) * below(CONNECTIONS) / CONNECTIONS / 2 * 2 + this as u64;
            let nth = (nth % CONNECTIONS) as usize;
            let fd = nth as i32 + 10;
            if items[nth] == 0 || below(5000) == 0 {
                if items[nth] != 0 {
                    put(&mut ring, this, *ns, Event::Close { fd, lives_as: -1, errno: 0 })?;
                }
                next_item += 1;
                items[nth] = next_item;
                let op = Some(Ctl::Add);
                let data = fd as u64;
                let item = next_item;
                put(&mut ring, this, *ns, Event::Ctl { epoll, op, fd, events: 1, data, errno: 0, item })?;
                let what = format!("tcp 127.0.0.1:80 ← 127.0.0.1:{}", 30_000 + next_item % 30_000);
                ring.file.name(0, Named::File(fd), *ns, &what)?;
            }
            if !batch.iter().any(|(other, _)| *other == fd) {
                batch.push((fd, items[nth]));
            }
        }
        *ns += waited_ns;
        let octave = 8 + below(12);
        let ready_ns = 500 + below(1 << octave);
        for (fd, item) in &batch {
            let (fd, item) = (*fd, *item);
            let when = told.max(ns.saturating_sub(ready_ns));
            told = when + 100;
            put(&mut ring, 2, when, Event::Wakeup { fd, source: Source::Signal, events: 1 })?;
            put(&mut ring, 2, told, Event::Ready { epoll, fd, item, overflow: false })?;
        }
        for (nth, (fd, item)) in batch.iter().enumerate() {
            let (fd, item, nth) = (*fd, *item, nth as u16);
            let known = Known::Exactly;
            put(&mut ring, this, *ns, Event::Deliver { epoll, fd, item, events: 1, nth, ready_ns, known })?;
        }
        put(&mut ring, this, *ns, Event::WaitReturn { epoll, n: batch.len() as i32, waited_ns })?;
        for (fd, _) in batch {
            let slow = if below(3000) == 0 { 5_000_000 } else { 0 };
            *ns += 1000;
            let read = 50 + below(400);
            put(
                &mut ring,
                this,
                *ns,
                Event::Io { fd, op: Op::Read, result: read as i64, asked: 4096, errno: 0 },
            )?;
            *ns += 2000 + below(9000) + slow;
            put(&mut ring, this, *ns, Event::Io { fd, op: Op::Write, result: 99, asked: 99, errno: 0 })?;
        }
        *ns += 500;
    }
    for thread in 0..3 {
        ring.flush(thread)?;
    }
    let end = now[0].max(now[1]);
    ring.file.moment(0, Moment { ticks: end, ns: end })?;
    ring.file.end(0, end, Some(0))?;
    ring.file.flush()
}
