//! A file of records, and all that is made of one.
//!
//! A fuzzer cannot guess checks: the first byte says whether those of the chunks (1) and of the records (2) are
//! corrected.

use std::io;

use glasspoll_record::layout::{self, block};
use glasspoll_record::{file, Recording};

use super::Bytes;
use crate::commands::dump;
use crate::report::summary;
use crate::{doctor, report};

/// Reads a file, examines it and makes every output of it.
pub fn file(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mend = bytes.byte();
    let mut bytes = bytes.0.to_vec();
    if mend & 1 != 0 {
        mend_chunks(&mut bytes, mend & 2 != 0);
    }
    if let Ok(recording) = Recording::read(&bytes[..]) {
        all_of(&recording);
    }
}

/// Every output that the command makes of a record.
pub fn all_of(recording: &Recording) {
    let seen = crate::commands::doctor::file(recording);
    let out = &mut io::sink();
    doctor::print::text(&seen, out).unwrap();
    doctor::print::json(&seen, out).unwrap();
    for as_json in [false, true] {
        dump::print(&recording.processes, as_json, out).unwrap();
    }
    for form in [report::Form::Page, report::Form::Trace, report::Form::Text] {
        report::write(recording, form, out).unwrap();
    }
    for process in &recording.processes {
        assert!(process.events.is_sorted_by_key(|entry| entry.ns));
        summary::Summary::of(process).print(out).unwrap();
    }
}

fn mend_chunks(bytes: &mut [u8], records: bool) {
    const BLOCK: u32 = 3;
    let mut at = 20;
    while let Some(head) = bytes.get(at..at + 12) {
        let [kind, len] = [0, 4].map(|at| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()));
        let Some(end) = (at + 12).checked_add(len as usize).filter(|end| *end <= bytes.len()) else { return };
        let body = &mut bytes[at + 12..end];
        if let Some(block) = body.get_mut(4..).filter(|_| records && kind == BLOCK) {
            mend_records(block);
        }
        let check = file::check(kind, body);
        bytes[at + 8..at + 12].copy_from_slice(&check.to_le_bytes());
        at = end;
    }
}

/// Puts the checks of a block's records right.
pub fn mend_records(bytes: &mut [u8]) {
    let Some(serial) = bytes.get(block::SERIAL..block::SERIAL + 8) else { return };
    let serial = u64::from_le_bytes(serial.try_into().unwrap());
    let records = bytes.get_mut(block::RECORDS..).unwrap_or_default();
    for (place, record) in records.chunks_exact_mut(layout::RECORD).enumerate() {
        let mut words = [0, 8, 16, 24].map(|at| u64::from_le_bytes(record[at..at + 8].try_into().unwrap()));
        words[0] &= !(0xffff << 48);
        let first = words[0] | layout::check(serial, place, words) << 48;
        record[..8].copy_from_slice(&first.to_le_bytes());
    }
}
