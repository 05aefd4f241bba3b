//! Every C test on the kernel's epoll and on glasspoll's: `native::NAME` and `preloaded::NAME`.
//!
//! It has libtest's options, and those of [`Options`]. GLASSPOLL_TESTS says in which mode to run; GLASSPOLL_HOT and the
//! like are passed on. `c-tests/run` runs them by hand.

use glasspoll_tests::c_tests::{CTest, Folders, Options, Runner, Verdict};
use glasspoll_tests::mode::{library, wanted};
use glasspoll_tests::Mode;
use libtest_mimic::{Arguments, Completion, Trial};
use std::collections::BTreeSet;
use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::thread;

/// What a trial needs; set once the programs are built.
type Shared = Arc<OnceLock<Runner>>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(why) => {
            eprintln!("c_tests: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let (options, rest) = Options::take(env::args_os())?;
    let arguments = Arguments::from_iter(rest);
    let folders = Folders::of(&options.root);
    let tests = chosen(CTest::all(&folders.sources).map_err(|error| format!("c-tests: {error}"))?, &options)?;
    let runner = Shared::default();
    let trials = trials(&tests, &runner);
    if arguments.list {
        return Ok(libtest_mimic::run(&arguments, trials).exit_code());
    }
    let selected: BTreeSet<String> = trials
        .iter()
        .filter(|trial| !arguments.is_filtered_out(trial))
        .map(|trial| trial.name().to_owned())
        .collect();
    leave_nothing_running(&options.root)?;
    let jobs = arguments.test_threads.or_else(|| thread::available_parallelism().ok().map(Into::into));
    let needed: Vec<&CTest> = tests
        .iter()
        .filter(|test| MODES.iter().any(|(mode, _)| selected.contains(&name(*mode, test))))
        .collect();
    let built = folders.build(&needed, jobs.unwrap_or(1)).map_err(|error| format!("c-tests: {error}"))?;
    let preloaded = selected.iter().any(|name| name.starts_with("preloaded::"));
    let made = Runner::new(options, built, preloaded.then(library));
    assert!(runner.set(made).is_ok(), "it is set here alone");
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

const MODES: [(Mode, &str); 2] = [(Mode::Native, "native"), (Mode::Preloaded, "preloaded")];

fn name(mode: Mode, test: &CTest) -> String {
    let word = MODES.iter().find(|(each, _)| *each == mode).map_or("", |(_, word)| word);
    format!("{word}::{}", test.name)
}

/// The tests that `--only` names, or all of them.
fn chosen(mut tests: Vec<CTest>, options: &Options) -> Result<Vec<CTest>, String> {
    if let Some(unknown) = options.only.iter().find(|name| !tests.iter().any(|test| test.name == **name)) {
        return Err(format!("no such test: {unknown}"));
    }
    tests.retain(|test| options.only.is_empty() || options.only.contains(&test.name));
    Ok(tests)
}

/// A test that must be alone waits for the others to end, so it comes last.
fn trials(tests: &[CTest], runner: &Shared) -> Vec<Trial> {
    let (alone, beside): (Vec<&CTest>, Vec<&CTest>) = tests.iter().partition(|test| test.alone);
    let modes: Vec<Mode> = wanted();
    let mut trials = Vec::new();
    for group in [beside, alone] {
        for &mode in &modes {
            trials.extend(group.iter().map(|test| trial(test, mode, runner)));
        }
    }
    trials
}

fn trial(test: &CTest, mode: Mode, runner: &Shared) -> Trial {
    let (name, test, runner) = (name(mode, test), test.clone(), Arc::clone(runner));
    Trial::ignorable_test(name, move || match runner.get().expect("the tests are built").run(&test, mode) {
        Verdict::Passed => Ok(Completion::Completed),
        Verdict::Skipped(why) => Ok(Completion::ignored_with(why)),
        Verdict::Limit(why) => Ok(Completion::ignored_with(format!("limit: {why}"))),
        Verdict::Failed(text) => Err(text.into()),
    })
}

/// Replaces this process by `scripts/reap` and a new run below it, which ends what the tests leave when this ends or is
/// interrupted.
fn leave_nothing_running(root: &Path) -> Result<(), String> {
    if env::var_os("TESTS_REAPED").is_some() {
        return Ok(());
    }
    let reap = root.join("scripts/reap");
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(&reap);
    command.arg(this).args(env::args_os().skip(1)).env("TESTS_REAPED", "yes");
    Err(format!("{}: {}", reap.display(), command.exec()))
}
