//! What the process has mapped, and with which protection: /proc/self/maps.

use std::ops::Range;

use glasspoll_reactor::sys;

/// The mappings at the time of reading, in the order of their addresses.
pub struct Mappings(Vec<Mapping>);

struct Mapping {
    range: Range<usize>,
    protection: i32,
}

impl Mappings {
    /// Reads them. None: there is no /proc.
    pub fn read() -> Option<Self> {
        let file = sys::open(c"/proc/self/maps", libc::O_RDONLY, 0).ok()?;
        let mut text = Vec::new();
        let mut part = vec![0; 4096];
        let is_whole = loop {
            match sys::read(file, &mut part) {
                Ok(0) => break true,
                Ok(count) => text.extend_from_slice(&part[..count.min(part.len())]),
                Err(_) => break false,
            }
        };
        let _ = sys::close(file);
        is_whole.then(|| Self(text.split(|byte| *byte == b'\n').filter_map(parse).collect()))
    }

    fn at(&self, address: usize) -> Option<&Mapping> {
        let after = self.0.partition_point(|mapping| mapping.range.start <= address);
        self.0.get(after.checked_sub(1)?).filter(|mapping| mapping.range.contains(&address))
    }

    /// The protection of the page at an address.
    pub fn protection(&self, address: usize) -> Option<i32> {
        self.at(address).map(|mapping| mapping.protection)
    }

    /// Whether all bytes can be read.
    pub fn are_readable(&self, range: &Range<usize>) -> bool {
        let mut from = range.start;
        while from < range.end {
            match self.at(from) {
                Some(mapping) if mapping.protection & libc::PROT_READ != 0 => from = mapping.range.end,
                _ => return false,
            }
        }
        true
    }
}

/// Parses a line such as `7f0c4a000000-7f0c4a021000 rw-p 00000000 00:00 0`.
fn parse(line: &[u8]) -> Option<Mapping> {
    let line = std::str::from_utf8(line.get(..line.len().min(64))?)
        .or_else(|error| std::str::from_utf8(&line[..error.valid_up_to()]))
        .ok()?;
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let rights = rest.as_bytes().get(..3)?;
    let right = |at: usize, letter, bit| if rights[at] == letter { bit } else { 0 };
    let protection =
        right(0, b'r', libc::PROT_READ) | right(1, b'w', libc::PROT_WRITE) | right(2, b'x', libc::PROT_EXEC);
    Some(Mapping { range: address(start)?..address(end)?, protection })
}
