//! Compiling C tests.

use super::CTest;
use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::SystemTime;

/// The folder of the sources, and the folder of the programs.
#[derive(Clone, Debug)]
pub struct Folders {
    /// `c-tests`.
    pub sources: PathBuf,
    /// `target/c-tests`.
    pub programs: PathBuf,
}

/// The program of each test, or the compiler's error.
pub type Built = HashMap<String, Result<PathBuf, String>>;

impl Folders {
    /// Those of the workspace at `root`.
    pub fn of(root: &Path) -> Self {
        Self { sources: root.join("c-tests"), programs: root.join("target/c-tests") }
    }

    /// Compiles the tests whose sources or headers are newer than their programs, `jobs` at a time. Shows the
    /// compiler's warnings.
    ///
    /// # Errors
    /// If the folders cannot be used.
    ///
    /// # Panics
    /// If a thread panics.
    pub fn build(&self, tests: &[&CTest], jobs: usize) -> io::Result<Built> {
        fs::create_dir_all(&self.programs)?;
        let headers = newest_header(&self.sources)?;
        let (next, built) = (AtomicUsize::new(0), Mutex::new(Built::new()));
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let program = self.compile(test, headers);
                        built.lock().expect("no thread panics").insert(test.name.clone(), program);
                    }
                });
            }
        });
        Ok(built.into_inner().expect("no thread panics"))
    }

    fn compile(&self, test: &CTest, headers: SystemTime) -> Result<PathBuf, String> {
        let program = self.programs.join(&test.name);
        let changed = changed(&test.source).map_err(|error| error.to_string())?.max(headers);
        if changed_or_absent(&program).is_some_and(|built| built > changed) {
            return Ok(program);
        }
        // Another runner may build or run the same test now: it sees the old program or the complete new one.
        let fresh = self.programs.join(format!("{}.{}", test.name, process::id()));
        let compiler = env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
        let mut command = Command::new(&compiler);
        command.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread", "-I"]).arg(&self.sources);
        command.arg("-o").arg(&fresh).arg(&test.source);
        let output = command.output().map_err(|error| format!("{}: {error}", compiler.to_string_lossy()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("it cannot be compiled:\n{said}"));
        }
        eprint!("{said}");
        fs::rename(&fresh, &program).map_err(|error| error.to_string())?;
        Ok(program)
    }
}

fn newest_header(folder: &Path) -> io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            newest = newest.max(newest_header(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "h") {
            newest = newest.max(changed(&path)?);
        }
    }
    Ok(newest)
}

fn changed(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

fn changed_or_absent(path: &Path) -> Option<SystemTime> {
    changed(path).ok()
}
