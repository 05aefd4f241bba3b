//! The command line.

use std::path::PathBuf;
use std::time::Duration;

/// Which mutations are tried, and for how long.
#[derive(Debug)]
pub struct Options {
    /// `--work`: the folder in which everything is built.
    pub work: PathBuf,
    /// `--shard K/N`: every Nth from the Kth on.
    pub shard: (usize, usize),
    /// `--name`: only mutations whose names contain one of these.
    pub names: Vec<String>,
    /// `--minutes`: how long to run.
    pub time: Duration,
    /// `--list`: prints the names and stops.
    pub list: bool,
    /// The files, below `reactor/src` and without `.rs`.
    pub files: Vec<String>,
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// If one is wrong.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            work: PathBuf::new(),
            shard: (0, 1),
            names: Vec::new(),
            time: Duration::MAX,
            list: false,
            files: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--work" => options.work = PathBuf::from(value()?),
                "--shard" => options.shard = shard(&value()?)?,
                "--name" => options.names.push(value()?),
                "--minutes" => {
                    let minutes: u64 = value()?.parse().map_err(|_| "--minutes needs a number".to_owned())?;
                    options.time = Duration::from_secs(minutes * 60);
                }
                "--list" => options.list = true,
                _ if word.starts_with('-') => return Err(format!("there is no option {word}")),
                _ => options.files.push(word),
            }
        }
        if options.work.as_os_str().is_empty() || options.files.is_empty() {
            return Err("it needs --work FOLDER and a file of reactor/src".to_owned());
        }
        Ok(options)
    }
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    parts.filter(|&(_, n)| n > 0).ok_or_else(|| "--shard needs K/N".to_owned())
}
