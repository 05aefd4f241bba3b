//! Text and bytes that the command reads: its arguments, specifications of chaos, files of /proc, netlink messages,
//! programs.
//! The first byte says which.

use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use clap::Parser;
use glasspoll_record::chaos::Spec;

use super::Bytes;
use crate::args::{self, Args};
use crate::collect::source::Source;
use crate::procfs::net::{diag, Sockets};
use crate::procfs::queue::Queue;
use crate::procfs::{describe, eventpoll, fdinfo};
use crate::program::elf;
use crate::text::units;

/// Reads them.
pub fn words(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let which = bytes.byte();
    let bytes = bytes.0;
    let text = String::from_utf8_lossy(bytes);
    match which % 7 {
        0 => {
            let words = bytes.split(|byte| *byte == 0).map(std::ffi::OsStr::from_bytes);
            let _ = Args::try_parse_from([std::ffi::OsStr::new("glasspoll")].into_iter().chain(words));
        }
        1 => {
            if let Ok(size) = args::size(&text) {
                assert!(size.len() >= 2);
            }
            if !text.contains('\0') {
                Source::of(std::ffi::OsStr::new(&*text));
            }
        }
        2 => {
            let mut sockets = Sockets::default();
            for (name, part) in ["tcp", "udp6", "unix"].into_iter().zip(bytes.split(|byte| *byte == 0)) {
                sockets.take_table(name, part);
            }
            (0..100).for_each(|inode| drop((sockets.describe(inode), sockets.queue(inode))));
        }
        3 => {
            let mut rest = bytes;
            while let Some((_, body, next)) = diag::message(rest) {
                assert!(next.len() < rest.len());
                diag::parse(body);
                diag::parse_unix(body);
                rest = next;
            }
        }
        4 => {
            describe::timer(&text);
            let mask = fdinfo::field(&text, "sigmask").and_then(|mask| u64::from_str_radix(mask, 16).ok());
            describe::signals(mask.unwrap_or(0));
            drop((Queue::of_info(&text), eventpoll::parse(&text), eventpoll::epfd_of(&text)));
            assert!(units::clean(&text).chars().all(|c| !c.is_control()));
            let width = usize::from(which / 7);
            assert!(units::fit(&text, width).chars().count() <= width);
        }
        5 => {
            // A value that is accepted prints as a text that means the same.
            if let Ok(spec) = text.parse::<Spec>() {
                let again = spec.to_string().parse::<Spec>();
                assert_eq!(again.map(|again| again.to_string()), Ok(spec.to_string()));
            }
        }
        _ => {
            // SAFETY: the name ends with a NUL; the descriptor is nobody else's.
            let file =
                unsafe { File::from_raw_fd(libc::memfd_create(c"program".as_ptr(), libc::MFD_CLOEXEC)) };
            file.write_all_at(bytes, 0).unwrap();
            elf::loading(&file);
            elf::glibc_needed(&file);
            elf::glibc_version(&file);
        }
    }
}
