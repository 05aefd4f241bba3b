//! The options of the runner that libtest does not have.

use crate::documents;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How the tests run.
#[derive(Debug)]
pub struct Options {
    /// `--root`: the workspace.
    pub root: PathBuf,
    /// `--only`: the names of the tests to run; without it, all run.
    pub only: Vec<String>,
    /// `--repeat`: how often each runs.
    pub repeat: u32,
    /// `--under`: the tool that runs each, and its arguments.
    pub under: Vec<String>,
    /// `--first`: libraries that are preloaded before glasspoll.
    pub first: Option<String>,
    /// `--last`: libraries that are preloaded after it.
    pub last: Option<String>,
    /// `--limit`: how long a run may take.
    pub limit: Duration,
    /// `--leave-out`: why a test does not run, by its name.
    pub left_out: BTreeMap<String, String>,
}

impl Options {
    /// Takes its own options out of a command line; returns the rest, which is for libtest.
    ///
    /// # Errors
    /// If one lacks its value, or has a bad one.
    pub fn take(arguments: impl IntoIterator<Item = OsString>) -> Result<(Self, Vec<OsString>), String> {
        let mut options = Self {
            root: documents::root().to_owned(),
            only: Vec::new(),
            repeat: 1,
            under: Vec::new(),
            first: None,
            last: None,
            limit: Duration::from_secs(300),
            left_out: BTreeMap::new(),
        };
        let (mut rest, mut arguments) = (Vec::new(), arguments.into_iter());
        while let Some(argument) = arguments.next() {
            let word = argument.to_string_lossy().into_owned();
            if !OWN.contains(&word.as_str()) {
                rest.push(argument);
                continue;
            }
            let value = arguments.next().and_then(|value| value.into_string().ok());
            options.set(&word, value.ok_or_else(|| format!("{word} needs a value"))?)?;
        }
        Ok((options, rest))
    }

    fn set(&mut self, word: &str, value: String) -> Result<(), String> {
        let number = || value.parse::<u32>().map_err(|_| format!("{word} needs a number, not {value}"));
        match word {
            "--root" => self.root = PathBuf::from(value),
            "--only" => self.only.push(value),
            "--repeat" => self.repeat = number()?.max(1),
            "--under" => self.under = value.split_whitespace().map(str::to_owned).collect(),
            "--first" => self.first = Some(value),
            "--last" => self.last = Some(value),
            "--limit" => self.limit = Duration::from_secs(number()?.into()),
            "--leave-out" => {
                let list = fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"))?;
                let lines = list.lines().filter_map(|line| line.split_once(": "));
                self.left_out = lines.map(|(name, why)| (name.to_owned(), why.to_owned())).collect();
            }
            _ => return Err(format!("{word} is no option of the runner")),
        }
        Ok(())
    }
}

const OWN: [&str; 8] =
    ["--root", "--only", "--repeat", "--under", "--first", "--last", "--limit", "--leave-out"];
