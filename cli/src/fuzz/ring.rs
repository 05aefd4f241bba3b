//! The memory of a process that lies: it is read, changed, and read again.
//!
//! The first byte says what is corrected before each reading, so that the fuzzer need not guess it: the checks of
//! records (1), the header's first words (2). The next two say how long the memory is the first time.

use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use glasspoll_record::layout::{self, header};
use glasspoll_record::process::Process;
use glasspoll_record::ring::{Header, Live};
use glasspoll_record::stream::Stream;
use glasspoll_record::Recording;

use super::file::{all_of, mend_records};
use super::Bytes;

/// Looks at it as `top` and `run` do, then as `dump` does.
pub fn ring(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mend = bytes.byte();
    let len = usize::from(bytes.byte()) << 8 | usize::from(bytes.byte());
    let first = bytes.take(len).to_vec();
    let images = [first, bytes.0.to_vec()];
    // SAFETY: the name ends with a NUL; the descriptor is nobody else's.
    let file = unsafe { File::from_raw_fd(libc::memfd_create(c"ring".as_ptr(), libc::MFD_CLOEXEC)) };
    put(&file, &images[0], mend);
    let Ok(live) = Live::of(file.try_clone().unwrap()) else { return };
    let blocks = u64::from(live.header().blocks);
    if blocks > 256 {
        return;
    }
    let mut stream = Stream::new(live);
    let mut process = Process::new(stream.live().header().clone());
    for image in [&images[0], &images[1], &images[0]] {
        put(&file, image, mend);
        let mut taken = 0;
        if let Ok(events) = stream.poll_and(|block| {
            taken += 1;
            process.add_block(block);
        }) {
            assert!(events.is_sorted_by_key(|entry| entry.ns));
        }
        // Whatever count it claims, it has no more places than these.
        assert!(taken <= 2 * blocks, "{taken} of {blocks} blocks");
        if let Ok((head, items)) = stream.live().read_items() {
            for item in &items {
                head.added(item.serial);
            }
            process.items = items;
        }
        process.taken = stream.live().now();
    }
    process.lost_blocks = stream.lost_blocks;
    process.finish();
    all_of(&Recording { processes: vec![process], ..Recording::default() });
}

fn put(file: &File, image: &[u8], mend: u8) {
    let mut image = image.to_vec();
    if mend & 2 != 0 && image.len() >= header::BLOCKS {
        image[header::MAGIC..8].copy_from_slice(&layout::MAGIC.to_le_bytes());
        image[header::VERSION..header::BLOCKS].copy_from_slice(&layout::VERSION.to_le_bytes());
    }
    if mend & 1 != 0 {
        for block in image.get_mut(layout::HEADER..).unwrap_or_default().chunks_exact_mut(layout::BLOCK) {
            mend_records(block);
        }
    }
    // As long as its header says, so that few inputs are refused as cut; the missing bytes are 0.
    let page: Option<&[u8; layout::HEADER]> = image.first_chunk();
    let said = page.and_then(|page| Header::parse(page).ok());
    let size = said
        .map_or(0, |said| layout::size(said.blocks.min(256), said.capacity.min(1024), said.fds.min(1024)));
    file.set_len(0).unwrap();
    file.set_len(size.max(image.len()) as u64).unwrap();
    file.write_all_at(&image, 0).unwrap();
}
