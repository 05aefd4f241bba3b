//! Files that are whole, with contents that no ring ever had: a reader may return anything, but nothing breaks.

use glasspoll_record::clock::Moment;
use glasspoll_record::file::{Named, Writer};
use glasspoll_record::layout::{self, block, header};
use glasspoll_record::ring::{Block, Live, Page};
use glasspoll_record::stream::Stream;
use glasspoll_record::Recording;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number, often one at an end of its range.
    fn word(&mut self) -> u64 {
        let word = self.next();
        match word % 8 {
            0 => u64::MAX,
            1 => 0,
            2 => 1 << 63,
            3 => word >> 32,
            _ => self.next(),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let word = self.word().to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn page(random: &mut Random) -> Page {
    let mut page = [0; layout::HEADER];
    random.fill(&mut page);
    put(&mut page, header::MAGIC, &layout::MAGIC.to_le_bytes());
    put(&mut page, header::VERSION, &layout::VERSION.to_le_bytes());
    put(&mut page, header::BLOCKS, &(1 + random.next() as u32 % 100).to_le_bytes());
    put(&mut page, header::CAPACITY, &100u32.to_le_bytes());
    put(&mut page, header::FDS, &0u32.to_le_bytes());
    put(&mut page, header::ITEMS, &(random.next() as u32 % 100).to_le_bytes());
    put(&mut page, header::CLOCK, &(random.next() as u32 % 2).to_le_bytes());
    page
}

/// A block whose records have correct checks.
fn block(random: &mut Random) -> Block {
    let mut bytes = [0; layout::BLOCK];
    random.fill(&mut bytes);
    let serial = random.next() % 10;
    put(&mut bytes, block::SERIAL, &serial.to_le_bytes());
    for place in 0..layout::RECORDS {
        let first = random.word() & ((1 << 40) - 1) | (random.next() % 16) << 40;
        let words = [first, random.word(), random.word(), random.word()];
        let check = layout::check(serial, place, words);
        let at = block::RECORDS + place * layout::RECORD;
        put(&mut bytes, at, &(first | check << 48).to_le_bytes());
        for (n, word) in words.iter().enumerate().skip(1) {
            put(&mut bytes, at + n * 8, &word.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn a_file_of_nonsense_is_read_to_its_end() {
    let mut random = Random(1);
    for _ in 0..if cfg!(miri) { 1 } else { 300 } {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file).unwrap();
        writer.ring(0, &page(&mut random)).unwrap();
        for _ in 0..5 {
            let bytes = block(&mut random);
            writer.block(0, &bytes).unwrap();
            writer.lost(0, random.word()).unwrap();
            let moment = Moment { ticks: random.word(), ns: random.word() };
            writer.moment(0, moment).unwrap();
            writer.name(0, Named::File(random.word() as i32), random.word(), "a file").unwrap();
            let mut entries = vec![0; 20 * (random.next() as usize % 50)];
            random.fill(&mut entries);
            writer.items(0, moment, &page(&mut random), &entries).unwrap();
            writer.facts(0, moment, &entries).unwrap();
            writer.end(0, random.word(), Some(random.word() as i32)).unwrap();
        }
        let recording = Recording::read(&file[..]).unwrap();
        let process = &recording.processes[0];
        process.end_ns();
        for item in &process.items {
            process.header.added(item.serial);
            process.file_at(item.fd, random.word());
        }
        assert!(process.events.is_sorted_by_key(|entry| entry.ns));
    }
}

/// A memfd with this page, in which `block` makes each block from its number.
fn ring(page: &Page, blocks: usize, seals: i32, mut block: impl FnMut(usize) -> Vec<u8>) -> File {
    // SAFETY: a new descriptor, and ours.
    let file = unsafe {
        let fd = libc::memfd_create(c"glasspoll".as_ptr(), libc::MFD_ALLOW_SEALING | libc::MFD_CLOEXEC);
        assert!(fd >= 0);
        File::from_raw_fd(fd)
    };
    file.set_len(layout::size(blocks as u32, 100, 0) as u64).unwrap();
    file.write_all_at(page, 0).unwrap();
    for number in 0..blocks {
        file.write_all_at(&block(number), (layout::HEADER + number * layout::BLOCK) as u64).unwrap();
    }
    // SAFETY: numbers.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
    file
}

const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;

#[test]
#[cfg_attr(miri, ignore = "a sealed memfd")]
fn a_ring_of_nonsense_that_runs_on_is_read_for_ever_in_the_same_memory() {
    let mut random = Random(2);
    for round in 0..20 {
        let mut page = page(&mut random);
        let blocks = 16;
        put(&mut page, header::BLOCKS, &(blocks as u32).to_le_bytes());
        // Blocks that were never taken, those that are never full, and nonsense.
        let file = ring(&page, blocks, SEALS, |_| match round % 3 {
            0 => vec![0; layout::BLOCK],
            1 => [&1u64.to_le_bytes()[..], &[0; layout::BLOCK - 8]].concat(),
            _ => block(&mut random).to_vec(),
        });
        let mut stream = Stream::new(Live::sealed(file.try_clone().unwrap()).unwrap());
        for step in 0..200u64 {
            let next = match step % 4 {
                0 => step * 7,
                1 => random.word(),
                2 => u64::MAX - step,
                _ => step * step,
            };
            file.write_all_at(&next.to_le_bytes(), header::NEXT as u64).unwrap();
            let events = stream.poll().unwrap();
            // Each block comes once, and a record may stand for two events.
            assert!(events.len() <= blocks * layout::RECORDS * 2, "{}", events.len());
            stream.live().read_items().map(drop).unwrap_or_default();
        }
        assert!(stream.live().kept() <= blocks, "{}", stream.live().kept());
    }
}

#[test]
#[cfg_attr(miri, ignore = "a sealed memfd")]
fn what_is_not_sealed_or_not_as_large_as_it_says_is_no_ring() {
    let mut random = Random(3);
    let mut page = page(&mut random);
    put(&mut page, header::BLOCKS, &8u32.to_le_bytes());
    let empty = |_| vec![0; layout::BLOCK];
    assert!(Live::sealed(ring(&page, 8, SEALS, empty)).is_ok());
    assert!(Live::sealed(ring(&page, 8, libc::F_SEAL_GROW, empty)).is_err());
    assert!(Live::sealed(ring(&page, 7, SEALS, empty)).is_err());
    for (at, value) in [
        (header::BLOCKS, 0),
        (header::BLOCKS, layout::MOST_BLOCKS + 1),
        (header::CAPACITY, layout::MOST_ITEMS + 1),
        (header::FDS, 1),
        (header::FDS, layout::MOST_FDS + 1),
        (header::ITEMS, 101),
    ] {
        let mut page = page;
        put(&mut page, at, &value.to_le_bytes());
        assert!(Live::sealed(ring(&page, 8, SEALS, empty)).is_err(), "{at}: {value}");
    }
}
