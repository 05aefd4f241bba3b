//! `scripts/install`: what is installed works for every user without a setting, and goes again without a trace.

use glasspoll_tests::command::as_ordinary_user;
use glasspoll_tests::documents::root;
use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{command, program};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("../programs/epoll_once.py");

/// A folder that every user may enter.
fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("our own directory");
    dir
}

/// What is below a folder: each path with its mode, and of a file its text.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("a name").path();
            let meta = path.symlink_metadata().expect("it was just listed");
            let text = if meta.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (meta.permissions().mode(), text));
        }
    }
    found
}

/// `scripts/install` of what was built, in a folder where the script looks for both.
fn script(built: &Path) -> Command {
    let lib = built.join("libglasspoll.so");
    if !lib.exists() {
        symlink(library(), &lib).expect("the test's own directory");
        symlink(command::path(), built.join("glasspoll")).expect("the test's own directory");
    }
    let mut command = clean_command(root().join("scripts/install"));
    // No user's mask takes anything from the others.
    command.env("GLASSPOLL_LIB", lib).env_remove("DESTDIR").env_remove("PREFIX");
    let mut masked = clean_command("sh");
    masked.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(command.get_program());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => masked.env(name, value),
            None => masked.env_remove(name),
        };
    }
    masked
}

/// Runs what is installed below `prefix`, as an ordinary user where we are root.
fn check_use(prefix: &Path, folder: &Path) {
    let glasspoll = || as_ordinary_user(clean_command(prefix.join("bin/glasspoll")), folder);
    let python = program::path("python3");
    let python = python.to_str().expect("a path in UTF-8");
    let text = run(glasspoll().args(["run", "-c", "--", python, "-c", SCRIPT]), LIMIT);
    assert!(text.stderr.contains("waits"), "{text:?}");
    assert_eq!(text.success(), "ready\n");
    let text = run(glasspoll().args(["doctor", "--", python, "-c", SCRIPT]), LIMIT);
    assert!(text.success().starts_with("ready\n"));
}

/// What `--version` says: a line each of the version and commit, the kernel, and the glibc of both files.
fn check_version(text: &str, prefix: &Path) {
    let lines: Vec<&str> = text.lines().collect();
    let [version, kernel, command, library] = lines[..] else { panic!("{text}") };
    let start = concat!("glasspoll ", env!("CARGO_PKG_VERSION"), " (commit ");
    assert!(version.starts_with(start) && version.ends_with(')'), "{text}");
    assert_eq!(kernel, "kernel:  Linux 5.10 or newer");
    assert!(command.starts_with("command: glibc 2.") && command.ends_with(" or newer"), "{text}");
    let place = prefix.join("lib/glasspoll/libglasspoll.so");
    assert!(
        library.starts_with("library: glibc 2.") && library.contains(&*place.to_string_lossy()),
        "{text}"
    );
}

#[test]
fn an_installation_works_for_all_users_and_goes_without_a_trace() {
    if !program::have(&["python3"]) {
        return;
    }
    let (dir, built) = (dir(), dir());
    // The first prefix is there, with files of others; the second is not, nor is the folder above it.
    let (there, other) = (dir.path().join("there"), dir.path().join("other/prefix"));
    fs::create_dir_all(there.join("share/man/man1")).expect("our own directory");
    fs::create_dir_all(there.join("bin")).expect("our own directory");
    fs::write(there.join("bin/another"), "a program of others").expect("our own directory");
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()), LIMIT).success();
    for prefix in [&there, &other] {
        let before = tree(dir.path());
        let install = |more: &[&str]| {
            run(script(built.path()).arg("--prefix").arg(prefix).args(more), LIMIT).success();
        };
        install(&[]);
        let installed = tree(dir.path());
        assert!(before.keys().all(|path| installed.get(path) == before.get(path)));
        let list = fs::read_to_string(prefix.join("lib/glasspoll/installed")).expect("the list");
        for (path, (mode, text)) in installed.iter().filter(|(path, _)| !before.contains_key(*path)) {
            let ours = path.starts_with(prefix) || prefix.starts_with(path);
            assert!(ours && mode & 0o444 == 0o444 && mode & 0o022 == 0, "{} {mode:o}", path.display());
            let is_folder = path.is_dir();
            assert!(is_folder || !text.is_empty(), "{} is empty", path.display());
            if let (Ok(name), false) = (path.strip_prefix(prefix), is_folder) {
                assert!(list.lines().any(|line| Path::new(line) == name), "{list}: {}", name.display());
            }
        }
        check_use(prefix, dir.path());
        let output = run(
            as_ordinary_user(clean_command(prefix.join("bin/glasspoll")), dir.path()).arg("--version"),
            LIMIT,
        );
        check_version(&output.success(), prefix);
        let page = fs::read_to_string(prefix.join("share/man/man1/glasspoll.1")).expect("the man page");
        assert!(page.contains(".SH EXAMPLES"), "{page}");

        // Once more: the same. A file that this version has no more goes.
        let old = prefix.join("share/doc/glasspoll/OLD.md");
        fs::write(&old, "of an older version").expect("our own directory");
        fs::write(prefix.join("lib/glasspoll/installed"), format!("{list}share/doc/glasspoll/OLD.md\n"))
            .expect("our own directory");
        install(&[]);
        assert!(tree(dir.path()) == installed);
        install(&["--uninstall"]);
        assert!(tree(dir.path()) == before, "{:#?}", tree(dir.path()).keys());
    }
}

#[test]
fn destdir_stands_before_the_prefix() {
    let (dir, built) = (dir(), dir());
    let before = tree(dir.path());
    let install = |more: &[&str]| {
        let mut command = script(built.path());
        run(command.env("DESTDIR", dir.path()).args(["--prefix", "/usr"]).args(more), LIMIT)
    };
    install(&[]).success();
    let prefix = dir.path().join("usr");
    for name in [
        "bin/glasspoll",
        "lib/glasspoll/libglasspoll.so",
        "share/man/man1/glasspoll.1",
        "share/bash-completion/completions/glasspoll",
        "share/zsh/site-functions/_glasspoll",
        "share/fish/vendor_completions.d/glasspoll.fish",
        "share/doc/glasspoll/README.md",
        "share/doc/glasspoll/docs/command.md",
    ] {
        assert!(prefix.join(name).is_file(), "no {name}");
    }
    install(&["--uninstall"]).success();
    assert!(tree(dir.path()) == before);
    let again = install(&["--uninstall"]);
    assert!(!again.status.success() && again.stderr.contains("nothing of glasspoll's"), "{again:?}");
}

#[test]
fn a_prefix_that_the_loader_could_not_take_is_refused() {
    let built = dir();
    for prefix in ["relative", "/tmp/with space", "/tmp/with:colon"] {
        let output = run(script(built.path()).args(["--prefix", prefix]), LIMIT);
        assert!(!output.status.success() && output.stderr.contains(prefix), "{output:?}");
    }
}
