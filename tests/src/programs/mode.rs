//! Native or preloaded: the two ways every test runs a program.

use std::cell::RefCell;
use std::env;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::path::PathBuf;
use std::process::Command;

/// On which epoll a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The kernel's.
    Native,
    /// glasspoll's, by `LD_PRELOAD`.
    Preloaded,
}

impl Mode {
    /// A command for `program` in this mode, without the caller's glasspoll settings.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = clean_command(program);
        if self == Mode::Preloaded {
            command.env("LD_PRELOAD", library());
            if let Some(chaos) = env::var_os("GLASSPOLL_TESTS_CHAOS") {
                command.env("GLASSPOLL_CHAOS", chaos);
            }
        }
        command
    }
}

/// A command that inherits neither a preloaded library nor glasspoll's settings.
pub fn clean_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_PRELOAD").env("LC_ALL", "C.UTF-8");
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("GLASSPOLL_") {
            command.env_remove(name);
        }
    }
    command
}

/// The library under test: `GLASSPOLL_LIB`, or `release/libglasspoll.so` in the
/// target directory this test was built into.
///
/// # Panics
/// If it is not there: a preloaded test without the library proves nothing, and ld.so would only print a warning and
/// run the program natively.
pub fn library() -> PathBuf {
    let path = match env::var_os("GLASSPOLL_LIB") {
        Some(path) => PathBuf::from(path),
        None => target_dir().join("release/libglasspoll.so"),
    };
    assert!(path.is_file(), "{} is missing: run `cargo build --release` first", path.display());
    path
}

/// The folder that cargo built into: this executable is `PROFILE/NAME` or `PROFILE/deps/NAME-HASH` below it.
pub(crate) fn target_dir() -> PathBuf {
    let exe = env::current_exe().expect("/proc is mounted");
    let folder = exe.parent().expect("cargo built this test");
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    profile.and_then(|profile| profile.parent()).expect("cargo built this test").to_owned()
}

/// The modes that `GLASSPOLL_TESTS` asks for: native, preloaded, or both if it is not set.
///
/// # Panics
/// If it is something else.
pub fn wanted() -> Vec<Mode> {
    match env::var("GLASSPOLL_TESTS").unwrap_or_default().as_str() {
        "" => vec![Mode::Native, Mode::Preloaded],
        "native" => vec![Mode::Native],
        "preloaded" => vec![Mode::Preloaded],
        other => panic!("GLASSPOLL_TESTS={other}: use native or preloaded"),
    }
}

/// Runs `test` natively, then preloaded (with the chaos that `GLASSPOLL_TESTS_CHAOS` says).
pub fn in_both_modes(test: impl Fn(Mode)) {
    let wanted = wanted();
    for mode in [Mode::Native, Mode::Preloaded] {
        if wanted.contains(&mode) {
            eprintln!("--- {mode:?}");
            test(mode);
        } else {
            eprintln!("SKIPPED {mode:?}: GLASSPOLL_TESTS asks for {wanted:?}");
        }
    }
}

/// Like [`in_both_modes`]; the test's result must be the same in both.
pub fn alike_in_both_modes<T: PartialEq + Debug>(test: impl Fn(Mode) -> T) {
    let given = RefCell::new(Vec::new());
    in_both_modes(|mode| {
        let result = test(mode);
        given.borrow_mut().push(result);
    });
    if let [native, preloaded] = &given.into_inner()[..] {
        assert_eq!(native, preloaded, "native on the left, preloaded on the right");
    }
}
