//! The layout of a ring's memory.

/// The first eight bytes.
pub const MAGIC: u64 = u64::from_le_bytes(*b"glassrng");
/// The version of this layout and of the kinds of records.
pub const VERSION: u32 = 1;
/// The name of the memfd.
pub const NAME: &str = "glasspoll";
/// The bytes of the header, and where the blocks begin.
pub const HEADER: usize = 4096;
/// The bytes of a block.
pub const BLOCK: usize = 1024;
/// The records of a block.
pub const RECORDS: usize = if cfg!(loom) { 2 } else { 31 };
/// The bytes of a record.
pub const RECORD: usize = 32;
/// The bytes of an item's entry.
pub const ITEM: usize = 20;
/// The bytes of an fd's entry.
pub const FD: usize = 32;

/// The most blocks that a ring has: `GLASSPOLL_RING=1G`.
pub const MOST_BLOCKS: u32 = 1 << 20;
/// The most items that a ring has room for.
pub const MOST_ITEMS: u32 = 1 << 17;
/// The most fds that a ring keeps facts of.
pub const MOST_FDS: u32 = 1 << 16;

/// Offsets in the header.
pub mod header {
    /// u64: `MAGIC`.
    pub const MAGIC: usize = 0;
    /// u32: `VERSION`.
    pub const VERSION: usize = 8;
    /// u32: how many blocks there are.
    pub const BLOCKS: usize = 12;
    /// u32: how many items the ring has room for.
    pub const CAPACITY: usize = 16;
    /// u32: the process.
    pub const PID: usize = 20;
    /// u32: its parent when the ring was made.
    pub const PPID: usize = 24;
    /// u32: 1 if ticks are those of the processor's counter, 0 if they are nanoseconds.
    pub const CLOCK: usize = 28;
    /// u32: 1 if the times at which files became ready are exact (`GLASSPOLL_READY=exact`).
    pub const EXACT: usize = 32;
    /// u32: 1 if the process was forked with sets that it inherited.
    pub const FORKED: usize = 36;
    /// u64: when the ring was made, in ticks.
    pub const TICKS: usize = 40;
    /// u64: the same in nanoseconds of CLOCK_MONOTONIC.
    pub const NS: usize = 48;
    /// u64: the same in nanoseconds since 1970.
    pub const REALTIME: usize = 56;
    /// u32: 1 if the kernel's epoll answers and the library only records; 0 if the library's own does. Older records
    /// have 0.
    pub const OBSERVED: usize = 64;
    /// u32: of how many fds facts are kept (`facts`). Older records have 0.
    pub const FDS: usize = 68;
    /// u32: how many call stacks there is room for; 0: none are kept.
    pub const STACKS: usize = 72;
    /// u32: where their region begins, in pages of 4096 bytes.
    pub const STACKS_AT: usize = 76;
    /// u32: how many reads came a second or more after the event, or without one after the last read: the program
    /// remembers by itself what is to be read.
    pub const CAME_BACK: usize = 80;
    /// u32: how many one-shot items were armed again a second or more after their event.
    pub const REARMED: usize = 84;
    /// u32: how many refused writes were tried again a second or more later, without an event.
    pub const RETRIED: usize = 88;
    /// u32: when the process forked last, as `facts` has times.
    pub const LAST_FORK: usize = 92;
    /// u32: how many descriptors came by accept(2) on a watched listener, or in a message.
    pub const BORN: usize = 96;
    /// u32: how many of them were touched a second or more later, for the first time.
    pub const LATE: usize = 100;
    /// u64: how many blocks have been taken.
    pub const NEXT: usize = 128;
    /// u32: how many entries of items have ever been in use. All others are empty.
    pub const ITEMS: usize = 192;
    /// u32: how many items were left out because there was no room.
    pub const LEFT_OUT: usize = 196;
    /// u32: how many moments follow, each when an item was added.
    pub const MOMENTS: usize = 256;
    /// u32: the least interval between two of them, in milliseconds.
    pub const INTERVAL: usize = 260;
    /// The moments: u32 the serial number of an item, u32 milliseconds since the ring was made.
    pub const FIRST_MOMENT: usize = 264;
}

/// The most moments.
pub const MOMENTS: usize = (HEADER - header::FIRST_MOMENT) / 8;

/// Offsets in a block.
pub mod block {
    /// u64: the serial number, 0 if it was never taken.
    pub const SERIAL: usize = 0;
    /// u64: when it was taken, in ticks.
    pub const TICKS: usize = 8;
    /// u64: the same in nanoseconds of CLOCK_MONOTONIC.
    pub const NS: usize = 16;
    /// u32: the thread.
    pub const TID: usize = 24;
    /// u32: how many records it has.
    pub const LEN: usize = 28;
    /// The first record.
    pub const RECORDS: usize = 32;
}

/// The size in bytes of a ring with `blocks` blocks, room for `capacity` items, and facts of `fds` fds.
pub fn size(blocks: u32, capacity: u32, fds: u32) -> usize {
    match fds {
        0 => facts_from(blocks, capacity),
        _ => facts(blocks, capacity) + fds as usize * FD,
    }
}

/// Where the facts of fds begin: an entry does not cross a cache line.
pub fn facts(blocks: u32, capacity: u32) -> usize {
    facts_from(blocks, capacity).next_multiple_of(64)
}

fn facts_from(blocks: u32, capacity: u32) -> usize {
    HEADER + blocks as usize * BLOCK + capacity as usize * ITEM
}

/// Where the items begin.
pub fn items(blocks: u32) -> usize {
    HEADER + blocks as usize * BLOCK
}

/// The most records that `blocks` blocks have.
pub fn records(blocks: u64) -> u64 {
    blocks.saturating_mul(RECORDS as u64)
}

/// The check of a record, computed from its place and all its words (the first word without the check).
#[inline]
pub fn check(serial: u64, place: usize, words: [u64; 4]) -> u64 {
    let [first, a, b, c] = words;
    let mixed = first
        ^ a.rotate_left(13)
        ^ b.rotate_left(29)
        ^ c.rotate_left(47)
        ^ serial.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (place as u64) << 57;
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 48
}
