//! Events in any order: of up to four processes, with small numbers so that they hang together, and now and then
//! with any number at all.

use std::io;

use glasspoll_record::event::Event;
use glasspoll_record::file::Named;
use glasspoll_record::layout::{self, header};
use glasspoll_record::ring::Header;
use glasspoll_record::{Entry, Process, Recording};

use super::file::all_of;
use super::Bytes;
use crate::doctor::Doctor;
use crate::report::summary::Summary;
use crate::top::model::Model;

fn process(pid: u32) -> Process {
    let mut page = [0; layout::HEADER];
    let mut put = |at: usize, word: u32| page[at..at + 4].copy_from_slice(&word.to_le_bytes());
    put(header::VERSION, layout::VERSION);
    put(header::BLOCKS, 1);
    put(header::PID, pid);
    put(header::PPID, pid - 1);
    page[header::MAGIC..8].copy_from_slice(&layout::MAGIC.to_le_bytes());
    Process::new(Header::parse(&page).unwrap())
}

/// Keeps the low bits of each half of a word, so that the same numbers come again.
fn small(word: u64) -> u64 {
    word & 0x0000_0007_0000_0007 | word & 0xfff8_0000_0000_0000
}

/// Feeds them to all that take events as they come, then to all that take a record.
pub fn events(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut processes: Vec<Process> = (1..=4).map(process).collect();
    let mut doctor = Doctor::new();
    let mut live: Vec<_> = processes
        .iter()
        .map(|process| {
            (doctor.process(&process.header), Model::new(&process.header), Summary::new(&process.header))
        })
        .collect();
    let mut now = 0u64;
    while !bytes.0.is_empty() {
        let (how, kind, when) = (bytes.byte(), bytes.byte(), bytes.byte());
        let at = usize::from(how & 3);
        let (place, model, summary) = &mut live[at];
        now = now.saturating_add(match when {
            0xff => bytes.word(),
            when => 1 << (when & 31),
        });
        match kind {
            0xf0 => {
                doctor.gap(*place);
                model.lost(bytes.word());
                summary.lost(bytes.word());
                processes[at].gaps.push(now);
            }
            0xf1 => {
                processes[at].ended = Some((now, None));
                doctor.ended(*place, now);
                summary.end(now);
            }
            0xf2 => model.tick(now),
            0xf3 => {
                let text = String::from_utf8_lossy(bytes.take(usize::from(how >> 4))).into_owned();
                let named = Named::File(i32::from(when & 7));
                summary.named(named, &text);
                processes[at].name(named, now, text);
            }
            _ => {
                let words = [bytes.word(), bytes.word(), bytes.word()];
                let words = if how & 4 != 0 { words } else { words.map(small) };
                // The last kind is newer than the kept inputs: the meaning of those must not change.
                let kind = if kind > 0xf3 { Event::KINDS } else { 1 + kind % (Event::KINDS - 1) };
                let Some(event) = Event::unpack(kind, words) else { continue };
                let entry = Entry { ns: now, tid: 1 + u32::from(how >> 3 & 3), event };
                model.event(&mut doctor, *place, &entry);
                model.forget();
                summary.event(&entry);
                processes[at].events.push(entry);
            }
        }
    }
    doctor.findings(now);
    for (_, model, summary) in &mut live {
        model.tick(now);
        model.unnamed();
        summary.print(&mut io::sink()).unwrap();
    }
    all_of(&Recording { processes, ..Recording::default() });
}
