//! A file for a record: private, and never written through a link that another user made.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A new file of mode 0600 in the folder of the wanted one. Removed when dropped, unless it was put in place.
#[derive(Debug)]
pub struct Output {
    file: File,
    wanted: PathBuf,
    beside: PathBuf,
    is_in_place: bool,
}

impl Output {
    /// Makes a file for a path. A file that is there stays until the new one is put in its place.
    pub fn create(wanted: &Path) -> Result<Self, String> {
        let refused = |what: &str| Err(format!("{}: {what}", wanted.display()));
        match fs::symlink_metadata(wanted) {
            Ok(there) if there.is_dir() => return refused("is a folder: name a file in it"),
            Ok(there) if !there.is_file() && !there.is_symlink() => {
                return refused("is no regular file: name another")
            }
            _ => {}
        }
        let Some(name) = wanted.file_name() else { return refused("is no name of a file") };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let beside = wanted.with_file_name(hidden);
        // O_EXCL follows no link and opens no file that exists.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        match file {
            Ok(file) => Ok(Self { file, wanted: wanted.into(), beside, is_in_place: false }),
            Err(error) => refused(&error.to_string()),
        }
    }

    /// The file to write to.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Gives it its name, and replaces the file that had it.
    pub fn put_in_place(&mut self) -> Result<(), String> {
        fs::rename(&self.beside, &self.wanted)
            .map_err(|error| format!("{}: {error}", self.wanted.display()))?;
        self.is_in_place = true;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.is_in_place {
            // If this fails, only an unwanted file is left.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{symlink, PermissionsExt};

    #[test]
    fn a_link_is_replaced_and_not_followed_and_what_failed_leaves_nothing() {
        let dir = std::env::temp_dir().join(format!("glasspoll-output-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (victim, wanted) = (dir.join("victim"), dir.join("wanted"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &wanted).unwrap();
        drop(Output::create(&wanted).unwrap());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
        let mut output = Output::create(&wanted).unwrap();
        output.file().unwrap().write_all(b"record").unwrap();
        output.put_in_place().unwrap();
        drop(output);
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(&wanted).unwrap(), b"record");
        let meta = fs::symlink_metadata(&wanted).unwrap();
        assert!(meta.is_file());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert!(Output::create(&dir).unwrap_err().contains("folder"));
        assert!(Output::create(Path::new("/dev/null")).unwrap_err().contains("no regular file"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
