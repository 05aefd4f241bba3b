//! A file of code that a process has mapped, and where it is to be read.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use blazesym::helper::read_elf_build_id;

/// A program or library, as a process has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Module {
    /// Its path in the process's root.
    pub path: OsString,
    /// Its build ID, if that is known and it has one.
    pub build_id: Vec<u8>,
}

/// A file by its path in a process's root. None: it is no path.
pub fn in_root(pid: u32, path: &Path) -> Option<PathBuf> {
    Some(Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/").ok()?))
}

impl Module {
    /// The file to read, if it is there and of the same build.
    pub(super) fn file(&self, pid: Option<u32>) -> Option<PathBuf> {
        let path = Path::new(&self.path);
        let ours = path.is_absolute().then(|| path.to_owned())?;
        let in_root = pid.and_then(|pid| in_root(pid, path));
        // A program that was deleted, or replaced, can still be read here.
        let program = pid.map(|pid| PathBuf::from(format!("/proc/{pid}/exe"))).filter(|link| {
            let is = fs::read_link(link).unwrap_or_default();
            let is = is.as_os_str().as_bytes();
            is.strip_suffix(b" (deleted)").unwrap_or(is) == self.path.as_bytes()
        });
        program.into_iter().chain(in_root).chain([ours]).find(|file| self.is(file))
    }

    fn is(&self, file: &Path) -> bool {
        // To open anything else may block, or do something.
        if !fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
            return false;
        }
        if self.build_id.is_empty() {
            return true;
        }
        read_elf_build_id(file).ok().flatten().is_some_and(|id| *id == *self.build_id)
    }
}
