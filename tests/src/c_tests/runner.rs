//! Runs C tests, and judges them by their limits.

use super::{Built, CTest, Options};
use crate::run::{kill_group, wait};
use crate::Mode;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::RwLock;
use std::time::Duration;

/// How long a test may take that must fail because of its limit: some fail by a hang, so the runner waits less for
/// them.
const AT_ITS_LIMIT: Duration = Duration::from_secs(20);
/// How long a test has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// The exit status of a test that cannot run here.
const SKIPPED: i32 = 77;

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every run passed.
    Passed,
    /// It did not run, or says that it cannot; with the reason.
    Skipped(String),
    /// It failed as its limit says.
    Limit(String),
    /// What the first run that failed printed.
    Failed(String),
}

/// Runs the tests of one command line.
#[derive(Debug)]
pub struct Runner {
    options: Options,
    built: Built,
    library: Option<PathBuf>,
    /// A test that must be alone locks it for writing, the others for reading.
    machine: RwLock<()>,
}

/// One run that did not pass.
enum Miss {
    Skipped(String),
    Failed(String),
}

impl Runner {
    /// For tests that are built. `library` is preloaded.
    pub fn new(options: Options, built: Built, library: Option<PathBuf>) -> Self {
        Self { options, built, library, machine: RwLock::new(()) }
    }

    /// Runs a test in a mode, as often as the options say.
    pub fn run(&self, test: &CTest, mode: Mode) -> Verdict {
        if let Some(why) = self.options.left_out.get(&test.name) {
            return Verdict::Skipped(why.clone());
        }
        let program = match self.built.get(&test.name) {
            Some(Ok(program)) => program,
            Some(Err(said)) => return Verdict::Failed(said.clone()),
            None => return Verdict::Failed("it was not built".to_owned()),
        };
        // A poisoned lock means that another trial panicked; that trial reports it.
        if test.alone {
            let _alone = self.machine.write();
            self.judge(test, mode, program)
        } else {
            let _beside = self.machine.read();
            self.judge(test, mode, program)
        }
    }

    fn judge(&self, test: &CTest, mode: Mode, program: &Path) -> Verdict {
        let limit = if mode == Mode::Preloaded { test.limit() } else { None };
        let time = if limit.is_some() { self.options.limit.min(AT_ITS_LIMIT) } else { self.options.limit };
        let (mut failures, mut first, mut skipped) = (0, None, None);
        for _ in 0..self.options.repeat {
            match self.attempt(program, mode, time) {
                Ok(()) => {}
                Err(Miss::Skipped(why)) => skipped = Some(why),
                Err(Miss::Failed(text)) => {
                    failures += 1;
                    first.get_or_insert(text);
                }
            }
        }
        match (limit, first) {
            (Some(why), Some(_)) => Verdict::Limit(why.to_owned()),
            (Some(_), None) => Verdict::Failed(
                "it passes, so it is no longer a limit: take the line \"// Limit:\" out of it".to_owned(),
            ),
            (None, Some(text)) if self.options.repeat > 1 => {
                Verdict::Failed(format!("{failures} of {} runs: {text}", self.options.repeat))
            }
            (None, Some(text)) => Verdict::Failed(text),
            (None, None) => skipped.map_or(Verdict::Passed, Verdict::Skipped),
        }
    }

    fn command(&self, program: &Path, mode: Mode) -> Command {
        let mut command = match self.options.under.split_first() {
            Some((tool, arguments)) => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.env_remove("LD_PRELOAD").env_remove("GLASSPOLL_TESTS");
        if mode == Mode::Preloaded {
            let library = self.library.as_deref().map(Path::to_string_lossy);
            let all = [self.options.first.as_deref(), library.as_deref(), self.options.last.as_deref()];
            command.env("LD_PRELOAD", all.into_iter().flatten().collect::<Vec<_>>().join(" "));
        }
        command
    }

    fn attempt(&self, program: &Path, mode: Mode, limit: Duration) -> Result<(), Miss> {
        // A file and not a pipe: a process that the test leaves running does not delay the end.
        let mut output = tempfile::tempfile().expect("a scratch file");
        let copy = |file: &File| Stdio::from(file.try_clone().expect("a scratch file"));
        let mut command = self.command(program, mode);
        command.stdin(Stdio::null()).stdout(copy(&output)).stderr(copy(&output)).process_group(0);
        let mut child = command.spawn().map_err(|error| Miss::Failed(format!("{command:?}: {error}")))?;
        let status = wait(&mut child, limit);
        if status.is_none() {
            end(&mut child);
        }
        let mut bytes = Vec::new();
        output.rewind().and_then(|()| output.read_to_end(&mut bytes)).expect("a scratch file");
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) if status.code() == Some(SKIPPED) => Err(Miss::Skipped(one_line(&text))),
            Some(status) => Err(Miss::Failed(with(&text, &ended(status)))),
            None => Err(Miss::Failed(with(&text, &format!("still running after {} s", limit.as_secs())))),
        }
    }
}

/// Ends a test that takes too long: first by SIGTERM, so that a tool around it can print something, then by SIGKILL.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).expect("a pid");
    // SAFETY: kill takes two numbers; the group is our child's own, and the child, its leader, is not reaped yet.
    unsafe { libc::kill(-group, libc::SIGTERM) };
    wait(child, GRACE);
    kill_group(child);
}

fn ended(status: ExitStatus) -> String {
    status.to_string()
}

fn with(text: &str, end: &str) -> String {
    if text.is_empty() {
        format!("({end})")
    } else {
        format!("{text}\n({end})")
    }
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}
