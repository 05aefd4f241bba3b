//! A C test: its source, and what the comment at its head tells the runner.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A program of `c-tests`.
#[derive(Clone, Debug)]
pub struct CTest {
    /// The source's name without `.c`.
    pub name: String,
    /// The path of the source, in the folder of its chapter of the contract.
    pub source: PathBuf,
    /// The modes in which it cannot pass.
    pub limits: Vec<Limit>,
    /// Whether it runs alone: it has a line `// Alone: WHY`.
    pub alone: bool,
}

/// A line `// Limit: MODE: WHY`: preloaded in that mode the test must fail, which shows what userspace cannot do.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The word before the reason.
    pub mode: LimitMode,
    /// The reason.
    pub why: String,
}

/// The mode in which a preloaded test meets its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitMode {
    /// `preloaded`: always.
    Preloaded,
    /// `hot`: with `GLASSPOLL_HOT` above 0 every set has hot items from the start.
    Hot,
    /// `poll`: with `GLASSPOLL_DEVICE=poll` no file signals.
    Poll,
    /// `exact`: with `GLASSPOLL_READY=exact` a helper thread watches all the time.
    Exact,
    /// `observe`: with `GLASSPOLL_ENGINE=observe`, where no other limit applies.
    Observe,
}

impl LimitMode {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "preloaded" => Self::Preloaded,
            "hot" => Self::Hot,
            "poll" => Self::Poll,
            "exact" => Self::Exact,
            "observe" => Self::Observe,
            _ => return None,
        })
    }

    /// Whether a preloaded program is in this mode, in this process's environment.
    fn is_on(self) -> bool {
        let setting = |name| env::var(name).unwrap_or_default();
        let observes = setting("GLASSPOLL_ENGINE") == "observe";
        match self {
            Self::Observe => observes,
            _ if observes => false,
            Self::Preloaded => true,
            Self::Hot => !matches!(setting("GLASSPOLL_HOT").as_str(), "" | "0" | "auto"),
            Self::Poll => setting("GLASSPOLL_DEVICE") == "poll",
            Self::Exact => setting("GLASSPOLL_READY") == "exact",
        }
    }
}

impl CTest {
    /// Every test of the folder `c-tests`, by name.
    ///
    /// # Errors
    /// If a file cannot be read, two tests have the same name, or a limit names no mode.
    pub fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut tests = Vec::new();
        for chapter in fs::read_dir(folder)? {
            let chapter = chapter?.path();
            if chapter.is_dir() {
                for file in fs::read_dir(chapter)? {
                    let file = file?.path();
                    if file.extension().is_some_and(|extension| extension == "c") {
                        tests.push(Self::read(file)?);
                    }
                }
            }
        }
        tests.sort_by(|a, b| a.name.cmp(&b.name));
        match tests.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(io::Error::other(format!("there are two tests {}", pair[0].name))),
            None => Ok(tests),
        }
    }

    fn read(source: PathBuf) -> io::Result<Self> {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&source)?;
        let (mut limits, mut alone) = (Vec::new(), false);
        for line in text.lines().map_while(|line| line.strip_prefix("//")) {
            if let Some(limit) = line.strip_prefix(" Limit: ") {
                let parts = limit.split_once(": ").and_then(|(word, why)| Some((LimitMode::of(word)?, why)));
                let (mode, why) =
                    parts.ok_or_else(|| io::Error::other(format!("{name}: a limit of no mode: {limit}")))?;
                limits.push(Limit { mode, why: why.to_owned() });
            }
            alone |= line.starts_with(" Alone: ");
        }
        Ok(Self { name, source, limits, alone })
    }

    /// Why the test must fail when it runs preloaded, in this process's environment.
    pub fn limit(&self) -> Option<&str> {
        self.limits.iter().find(|limit| limit.mode.is_on()).map(|limit| limit.why.as_str())
    }
}
