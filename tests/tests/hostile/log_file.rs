//! Where GLASSPOLL_LOG_FILE may lead. If another user can write to the folder, that user must not be able to make the
//! program write to a file of theirs, wait, or write to another file of the program's user.

use glasspoll_tests::run::LIMIT;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{symlink, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use glasspoll_tests::command::{as_ordinary_user, is_root};
use glasspoll_tests::run::run;
use glasspoll_tests::{program, Mode, Output};

const SCRIPT: &str = include_str!("../programs/epoll_once.py");
/// `nobody`.
const OTHER: u32 = 65_534;

/// Runs a program whose flow is logged to `path`.
fn logged_to(path: &Path) -> Output {
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", SCRIPT]).env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", path);
    let output = run(&mut command, LIMIT);
    assert_eq!(output.stdout, "ready\n", "{output:?}");
    output
}

fn is_log(text: &str) -> bool {
    text.contains("glasspoll::flow: wait_enter ")
}

/// Checks that the library says that it refuses the path, and logs to standard error.
fn is_refused(path: &Path) {
    let stderr = logged_to(path).stderr;
    let first = stderr.lines().next().unwrap_or_default();
    assert!(first.contains("GLASSPOLL_LOG_FILE") && first.contains("cannot be opened"), "{stderr}");
    assert!(is_log(&stderr), "{stderr}");
}

#[test]
fn the_users_own_links_are_followed_and_those_of_the_system() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (file, link) = (dir.path().join("today"), dir.path().join("current"));
    symlink("latest", &link).expect("our own directory");
    symlink(&file, dir.path().join("latest")).expect("our own directory");
    assert_eq!(logged_to(&link).stderr, "");
    assert!(is_log(&fs::read_to_string(&file).expect("the log")));
    assert_eq!(fs::metadata(&file).expect("the log").mode() & 0o777, 0o600);
    // The log is appended to a file that exists.
    let before = fs::metadata(&file).expect("the log").len();
    assert_eq!(logged_to(&link).stderr, "");
    assert!(fs::metadata(&file).expect("the log").len() > before);
    let output = logged_to(Path::new("/dev/stderr"));
    assert!(is_log(&output.stderr) && !output.stderr.contains("cannot be opened"), "{output:?}");
    assert_eq!(logged_to(Path::new("/dev/null")).stderr, "");
}

#[test]
fn a_file_that_has_another_name_is_not_written_to() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (victim, log) = (dir.path().join("victim"), dir.path().join("log"));
    fs::write(&victim, "precious").expect("our own directory");
    fs::hard_link(&victim, &log).expect("our own directory");
    is_refused(&log);
    is_refused(dir.path());
    assert_eq!(fs::read(&victim).expect("our own directory"), b"precious");
}

#[test]
fn a_fifo_that_nobody_reads_is_not_waited_for() {
    if !program::have(&["python3", "mkfifo"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    run(Mode::Native.command(program::path("mkfifo")).arg(&fifo), LIMIT).success();
    is_refused(&fifo);
    // With a reader the FIFO is a log like any other. (The pipe has room for all of it.)
    let mut reader =
        fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).expect("our own directory");
    assert_eq!(logged_to(&fifo).stderr, "");
    let mut log = String::new();
    reader.read_to_string(&mut log).expect("it ends, for the writer is gone");
    assert!(is_log(&log), "{log}");
}

#[test]
fn what_another_user_has_laid_there_is_left_alone() {
    if !is_root() {
        return program::skip("only root can make files of another user");
    }
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    fs::write(at("victim"), "precious").expect("our own directory");
    symlink(at("victim"), at("link")).expect("our own directory");
    symlink(at("nothing"), at("dangling")).expect("our own directory");
    fs::write(at("file"), "theirs").expect("our own directory");
    // A link of our own that leads to one of theirs.
    symlink("link", at("mine")).expect("our own directory");
    for name in ["link", "dangling", "file"] {
        std::os::unix::fs::lchown(at(name), Some(OTHER), Some(OTHER)).expect("we are root");
        is_refused(&at(name));
    }
    is_refused(&at("mine"));
    assert_eq!(fs::read(at("victim")).expect("our own directory"), b"precious");
    assert_eq!(fs::read(at("file")).expect("our own directory"), b"theirs");
    assert!(!at("nothing").exists());
    // An ordinary user's program does not write to root's files either, even if it could.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("our own directory");
    fs::write(at("roots"), "precious").expect("our own directory");
    fs::set_permissions(at("roots"), fs::Permissions::from_mode(0o666)).expect("our own directory");
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", SCRIPT]).env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", at("roots"));
    let library = glasspoll_tests::command::install();
    command.env("LD_PRELOAD", library.dir().join("libglasspoll.so"));
    let output = run(&mut as_ordinary_user(command, dir.path()), LIMIT);
    assert!(output.stderr.contains("cannot be opened") && is_log(&output.stderr), "{output:?}");
    assert_eq!(fs::read(at("roots")).expect("our own directory"), b"precious");
}

#[test]
fn neither_the_log_nor_the_record_has_what_is_transferred() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    // The name is made of parts, so that it is not in the command line.
    let script = "import os, select, socket\n\
        a, b = socket.socketpair(); e = select.epoll(); e.register(a, 1)\n\
        b.send(b'sec' + b'ret' * 100); e.poll(); a.recv(1000); a.send(b'hid' + b'den' * 100); b.recv(1000)\n\
        for n in os.listdir('/proc/self/fd'):\n \
            try: name = os.readlink('/proc/self/fd/' + n)\n \
            except OSError: continue\n \
            if name.startswith('/memfd:glasspoll'):\n  \
                print(n); open('ring', 'wb').write(open('/proc/self/fd/' + n, 'rb').read())\n";
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", script]).current_dir(dir.path());
    command.env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", &log);
    let output = run(&mut command, LIMIT);
    assert!(!output.stdout.is_empty(), "{output:?}");
    for name in ["log", "ring"] {
        let mut bytes = Vec::new();
        fs::File::open(dir.path().join(name)).expect("it is there").read_to_end(&mut bytes).expect("a file");
        assert!(bytes.len() > 1000, "{name}");
        for word in ["secret", "retret", "hidden", "denden"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {name}");
        }
    }
}
