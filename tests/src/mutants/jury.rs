//! The tests that should notice a change: C tests, the reactor's own tests, random walks.

use super::tree::passes;
use super::Tree;
use crate::c_tests::{CTest, Folders};
use crate::documents::root;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// The values of GLASSPOLL_HOT: the library decides by itself, or every set has hot items from the start.
const HOT: [&str; 2] = ["auto", "512"];
/// The number of processors that any build machine has.
const JOBS: usize = 2;
/// Longer than any fast test takes.
const RUN: Duration = Duration::from_secs(10);
/// A C test is fast if it passes within this time on the unchanged library.
const FAST: Duration = Duration::from_millis(500);
const WALK: Duration = Duration::from_secs(120);

/// The tests; the one that noticed the latest change comes first.
#[derive(Debug)]
pub struct Jury {
    /// For each of [`HOT`].
    fast: [Vec<CTestProgram>; 2],
    walk: PathBuf,
}

#[derive(Clone, Debug)]
struct CTestProgram {
    name: String,
    program: PathBuf,
}

impl Jury {
    /// Builds the tests, and finds the fast ones with the unchanged library of the tree.
    ///
    /// # Errors
    /// If they cannot be built.
    pub fn call(tree: &Tree, work: &Path) -> Result<Self, String> {
        let target = work.join("walk");
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root()).env("CARGO_TARGET_DIR", &target);
        cargo.args(["build", "--quiet", "-p", "glasspoll-tests", "--bin", "walk"]);
        let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
        if !status.success() {
            return Err("the walks cannot be built".to_owned());
        }
        let folders = Folders { sources: tree.folder().join("c-tests"), programs: work.join("c-tests") };
        let failed = |error| format!("c-tests: {error}");
        let tests = CTest::all(&folders.sources).map_err(failed)?;
        let mut built = folders.build(&tests.iter().collect::<Vec<_>>(), JOBS).map_err(failed)?;
        // A test that cannot be compiled here does not judge.
        let programs: Vec<CTestProgram> = tests
            .into_iter()
            .filter_map(|test| Some((test.name.clone(), built.remove(&test.name)?.ok()?)))
            .map(|(name, program)| CTestProgram { name, program })
            .collect();
        let fast = HOT.map(|hot| {
            let fast = Mutex::new(Vec::new());
            each(&programs, |at| {
                let begin = Instant::now();
                if programs[at].passes(hot, tree) && begin.elapsed() <= FAST {
                    fast.lock().expect("no thread panics").push(at);
                }
                true
            });
            let mut fast = fast.into_inner().expect("no thread panics");
            fast.sort_unstable();
            println!("{} C tests with GLASSPOLL_HOT={hot}", fast.len());
            fast.into_iter().map(|at| programs[at].clone()).collect()
        });
        Ok(Self { fast, walk: target.join("debug/walk") })
    }

    /// The C test that notices the change in the current build, if any does.
    pub fn c_test(&mut self, tree: &Tree) -> Option<String> {
        self.fast.iter_mut().zip(HOT).find_map(|(fast, hot)| {
            let noticed = Mutex::new(None);
            each(fast, |at| {
                // Twice, because a test may fail without cause on a busy machine.
                let passes = fast[at].passes(hot, tree) || fast[at].passes(hot, tree);
                if !passes {
                    noticed.lock().expect("no thread panics").get_or_insert(at);
                }
                passes
            });
            let at = noticed.into_inner().expect("no thread panics")?;
            // The test that noticed this change may notice the next one too.
            let first = fast.remove(at);
            let name = first.name.clone();
            fast.insert(0, first);
            Some(name)
        })
    }

    /// Whether the reactor's own tests fail, or random walks differ from the kernel's.
    pub fn others(&self, tree: &Tree) -> bool {
        !tree.passes_its_own_tests() || HOT.iter().any(|hot| !self.walks_agree(tree, hot))
    }

    fn walks_agree(&self, tree: &Tree, hot: &str) -> bool {
        let mut walk = Command::new(&self.walk);
        walk.args(["fuzz", "60", "1", "400"]).arg(format!("GLASSPOLL_HOT={hot}"));
        passes(walk.env("GLASSPOLL_LIB", tree.library()), WALK)
    }
}

impl CTestProgram {
    fn passes(&self, hot: &str, tree: &Tree) -> bool {
        let mut command = Command::new(&self.program);
        passes(command.env("GLASSPOLL_HOT", hot).env("LD_PRELOAD", tree.library()), RUN)
    }
}

/// Calls `act` for each index of the list, several at a time, until one call returns false.
fn each<T: Sync>(list: &[T], act: impl Fn(usize) -> bool + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= list.len() {
                    break;
                }
                if !act(at) {
                    next.store(list.len(), Ordering::Relaxed);
                }
            });
        }
    });
}
