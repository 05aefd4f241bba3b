//! `/proc/PID/maps`: what is mapped where, and which of it is an ELF object.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub begin: u64,
    pub end: u64,
    /// `r-xp`
    pub mode: [u8; 4],
    pub offset: u64,
    /// The device as the kernel writes it, and the inode.
    pub file: (String, u64),
    /// Without ` (deleted)`; what is not UTF-8 is replaced.
    pub path: String,
    /// The same as it is, to open it.
    pub os_path: PathBuf,
}

impl Mapping {
    pub fn is_private_code(&self) -> bool {
        self.mode == *b"r-xp" && self.file.1 != 0
    }

    pub fn is_private_data(&self) -> bool {
        self.mode == *b"rw-p"
    }
}

/// An object: a file that is mapped from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Where its first byte is.
    pub base: u64,
    pub file: (String, u64),
    /// Without ` (deleted)`.
    pub path: String,
}

impl Mapped {
    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// `libc.so.6`, or `libc-2.31.so` as older ones are called.
    pub fn is_glibc(&self) -> bool {
        self.name() == "libc.so.6" || self.name().starts_with("libc-2.") && self.name().ends_with(".so")
    }

    pub fn is_musl(&self) -> bool {
        self.name().starts_with("ld-musl-")
    }

    pub fn is_loader(&self) -> bool {
        self.name().starts_with("ld-") || self.name().starts_with("ld.so")
    }
}

/// Whether a path is that of a libc: glibc's or musl's.
pub fn is_libc(path: &str) -> bool {
    let object = Mapped { base: 0, file: (String::new(), 0), path: path.into() };
    object.is_glibc() || object.is_musl()
}

/// All lines; what makes no sense is left out.
pub fn parse(text: impl AsRef<[u8]>) -> Vec<Mapping> {
    text.as_ref().split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// `7f1c5a000000-7f1c5a021000 r-xp 00001000 fe:01 1234   /usr/lib/libc.so.6`
fn line(bytes: &[u8]) -> Option<Mapping> {
    const DELETED: &str = " (deleted)";
    let text = String::from_utf8_lossy(bytes);
    let (range, rest) = text.split_once(' ')?;
    let (begin, end) = range.split_once('-')?;
    let (mode, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    let (device, rest) = rest.split_once(' ')?;
    let (inode, path) = rest.split_once(' ').unwrap_or((rest, ""));
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (begin, end) = (hex(begin)?, hex(end)?);
    let path = path.trim_start_matches(' ');
    // All that comes before a path is ASCII, and as long in bytes.
    let os_path = bytes.get(text.len() - path.len()..).unwrap_or_default();
    (begin < end).then_some(Mapping {
        begin,
        end,
        mode: mode.as_bytes().try_into().ok()?,
        offset: hex(offset)?,
        file: (device.into(), inode.parse().ok()?),
        path: path.strip_suffix(DELETED).unwrap_or(path).into(),
        os_path: OsStr::from_bytes(os_path.strip_suffix(DELETED.as_bytes()).unwrap_or(os_path)).into(),
    })
}

/// The objects, in the order of their addresses. A file that is mapped twice is two.
pub fn objects(all: &[Mapping]) -> Vec<Mapped> {
    let files = all.iter().filter(|mapping| mapping.file.1 != 0 && mapping.offset == 0);
    let mut found: BTreeMap<u64, Mapped> = BTreeMap::new();
    let mut last: Option<(&Mapping, u64)> = None;
    for mapping in files {
        // The first page of a file may be mapped once more for its data.
        let continues = last.is_some_and(|(before, end)| before.file == mapping.file && end == mapping.begin);
        last = Some((mapping, mapping.end));
        if !continues && mapping.mode[0] == b'r' {
            let (file, path) = (mapping.file.clone(), mapping.path.clone());
            found.insert(mapping.begin, Mapped { base: mapping.begin, file, path });
        }
    }
    found.into_values().collect()
}

/// The mapping that has an address.
pub fn at(all: &[Mapping], address: u64) -> Option<&Mapping> {
    all.iter().find(|mapping| (mapping.begin..mapping.end).contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
55d000000000-55d000001000 r--p 00000000 fe:01 11                         /usr/bin/a name
55d000001000-55d000002000 r-xp 00001000 fe:01 11                         /usr/bin/a name
7f0000000000-7f0000028000 r--p 00000000 fe:01 22                         /usr/lib/libc.so.6 (deleted)
7f0000028000-7f0000180000 r-xp 00028000 fe:01 22                         /usr/lib/libc.so.6 (deleted)
7f0000200000-7f0000202000 rw-p 00000000 00:00 0 
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
";

    #[test]
    fn objects_are_files_from_their_beginning() {
        let all = parse(TEXT);
        assert_eq!(all.len(), 6);
        let objects = objects(&all);
        assert_eq!(objects.len(), 2);
        assert_eq!((objects[0].name(), objects[0].base), ("a name", 0x55d0_0000_0000));
        assert!(objects[1].is_glibc() && !objects[0].is_glibc());
        assert_eq!(at(&all, 0x7ffd_0000_0010).map(|stack| stack.path.as_str()), Some("[stack]"));
        assert_eq!(at(&all, 0), None);
        assert!(at(&all, 0x7f00_0003_0000).is_some_and(Mapping::is_private_code));
    }

    #[test]
    fn a_path_that_is_not_utf8_is_kept_as_it_is_and_spoils_no_other_line() {
        let text = b"1000-2000 r-xp 00000000 fe:01 11     /srv/caf\xe9/app (deleted)\n2000-3000 rw-p 00000000 00:00 0 \n";
        let all = parse(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].path, "/srv/caf\u{fffd}/app");
        assert_eq!(all[0].os_path.as_os_str().as_bytes(), b"/srv/caf\xe9/app");
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for text in ["", "x", "1-2 r--p", "2-1 r--p 0 0:0 1 /x", "1-2 r--pp 0 0:0 1 /x", "g-2 r--p 0 0:0 1"] {
            assert_eq!(parse(text), []);
        }
    }
}
