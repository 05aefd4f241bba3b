//! What the fuzz targets of `tests/fuzz` call. Each takes any bytes, and may not panic, whatever they are.
//!
//! | target | bytes are |
//! |---|---|
//! | `file` | a file of records |
//! | `ring` | the memory of a process's ring, twice |
//! | `events` | events of several processes |
//! | `objects` | the memory of a process that is attached to, its mappings, its seccomp filter |
//! | `words` | a command line, files of /proc, messages of netlink, programs |
//!
//! Inputs that once failed are in `tests/fuzz/regressions`; each test run tries them.

mod events;
mod file;
mod objects;
mod ring;
mod words;

pub use events::events;
pub use file::file;
pub use objects::objects;
pub use ring::ring;
pub use words::words;

/// Takes numbers off the front of some bytes; 0 once there are none.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn word(&mut self) -> u64 {
        let taken = self.take(8);
        let mut word = [0; 8];
        word[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(word)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs a target on the inputs at which it once failed; returns how many there are.
    fn replay(target: &str, feed: impl Fn(&[u8])) -> usize {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/regressions").join(target);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let inputs = inputs.map(|entry| {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display());
            feed(&fs::read(path).unwrap());
        });
        inputs.count()
    }

    #[test]
    fn what_a_fuzzer_once_found_does_no_harm() {
        assert_ne!(replay("file", super::file), 0);
        assert_ne!(replay("ring", super::ring), 0);
        assert_ne!(replay("events", super::events), 0);
        assert_ne!(replay("objects", super::objects), 0);
        assert_ne!(replay("words", super::words), 0);
    }
}
