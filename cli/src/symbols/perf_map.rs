//! `/tmp/perf-PID.map`: the names that a JIT compiler gives to its code. Node has it with `--perf-basic-prof`, a JVM by
//! an agent, CPython with `-X perf`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use glasspoll_record::find;

/// The most that is read of one.
const MOST: u64 = 256 << 20;

/// The functions, by where they begin, and where they end.
#[derive(Debug, Default)]
pub struct PerfMap(BTreeMap<u64, (u64, String)>);

impl PerfMap {
    /// That of a process, which may have ended; empty if there is none.
    pub fn of(pid: u32) -> Self {
        let path = match Path::new(&format!("/proc/{pid}/root")).symlink_metadata() {
            Ok(_) => format!("/proc/{pid}/root/tmp/perf-{}.map", find::pid_inside(pid)),
            Err(_) => format!("/tmp/perf-{pid}.map"),
        };
        if !fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
            return Self::default();
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(&path).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
        read.map_or_else(|_| Self::default(), |_| Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Lines `START SIZE NAME` in hex. Code is written over older code: the last line counts.
    fn parse(text: &str) -> Self {
        let mut all = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let mut hex = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
            if let (Some(begin), Some(size), Some(name)) = (hex(), hex(), words.next()) {
                all.insert(begin, (begin.saturating_add(size), name.to_owned()));
            }
        }
        Self(all)
    }

    /// The name of the function at an address.
    pub fn name(&self, address: u64) -> Option<&str> {
        let (_, (end, name)) = self.0.range(..=address).next_back()?;
        (address < *end).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_about_an_address_counts() {
        let map =
            PerfMap::parse("1000 20 old\nnonsense\n2000 10 JS:*main /x.js:1\n0x1000 10 new\nffff zz x\n");
        assert_eq!(map.name(0x1008), Some("new"));
        assert_eq!((map.name(0x1018), map.name(0xfff), map.name(0x2010)), (None, None, None));
        assert_eq!(map.name(0x200f), Some("JS:*main /x.js:1"));
    }
}
