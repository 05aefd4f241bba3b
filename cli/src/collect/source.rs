//! What a command looks at: a running process, or a file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A process or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Process(u32),
    File(PathBuf),
}

impl Source {
    /// What an argument means: a number is a process, unless a file has that name. If both exist, this says so.
    pub fn of(argument: &OsStr) -> Self {
        let path = Path::new(argument);
        let digits = argument.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.and_then(|text| text.parse().ok()) {
            Some(pid) if !path.exists() => Self::Process(pid),
            Some(pid) => {
                if Path::new(&format!("/proc/{pid}")).exists() {
                    eprintln!("glasspoll: {pid} is a file here, and taken for that, though there is a process {pid} too");
                }
                Self::File(path.into())
            }
            None => Self::File(path.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_process_and_all_else_a_file() {
        assert_eq!(Source::of(OsStr::new("4711")), Source::Process(4711));
        assert_eq!(Source::of(OsStr::new("4711.rec")), Source::File("4711.rec".into()));
        assert_eq!(Source::of(OsStr::new("99999999999999")), Source::File("99999999999999".into()));
        assert_eq!(Source::of(OsStr::new("")), Source::File("".into()));
    }
}
