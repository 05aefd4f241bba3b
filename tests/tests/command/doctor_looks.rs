//! What `glasspoll doctor` sees of a thread while it is overdue or spins: stacks, calls, and whether it had a processor.

use glasspoll_tests::command::{glasspoll, glasspoll_with};
use glasspoll_tests::findings::{doctor, findings, OBSERVE};
use glasspoll_tests::program;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

const BUGS: &str = env!("CARGO_BIN_EXE_bugs");

/// The evidence and the title of the finding of class 16 or 25 about a program of `bugs`, and what else is told of looks. None:
/// we may not look. Err: nothing was found, as where nobody had a processor to wait meanwhile.
fn away(program: &str, more: &[&str]) -> Result<Option<(String, String)>, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("findings");
    let mut command = glasspoll();
    command.args(["doctor", OBSERVE, "--json"]).args(more).arg("-o").arg(&file).args(["--", BUGS, program]);
    run(&mut command, LIMIT);
    let found = findings(&file);
    let is_it = |finding: &&Value| finding["class"] == 16 || finding["class"] == 25;
    let finding = found.iter().find(is_it).ok_or_else(|| format!("{found:#?}"))?;
    let text = format!("{} {}", finding["title"], finding["evidence"]);
    let all: Value = serde_json::from_str(&fs::read_to_string(&file).expect("findings")).expect("JSON");
    let looks = all["looks"].to_string();
    Ok((!looks.contains("not permitted")).then_some((text, looks)))
}

/// What is looked at depends on when we get a processor: on an overloaded machine the first times may fail.
fn at_last(mut check: impl FnMut() -> Result<(), String>) {
    let failed: Vec<String> = (0..5).map_while(|_| check().err()).collect();
    assert!(failed.len() < 5, "{failed:#?}");
}

/// That a text has all words.
fn has(text: &str, words: &[&str]) -> Result<(), String> {
    let missing = words.iter().find(|word| !text.contains(**word));
    missing.map_or(Ok(()), |word| Err(format!("no {word:?} in {text}")))
}

#[test]
fn a_function_that_takes_long_is_named() {
    at_last(|| {
        let Some((text, looks)) = away("works", &[])? else { return Ok(()) };
        has(&text, &["compute_page (away.rs:"])?;
        has(&text, &["at work in"]).or_else(|_| has(&text, &["without a processor"]))?;
        has(&looks, &["for which it stood"])
    });
}

#[test]
fn a_record_tells_what_a_thread_did() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("record");
    let path = file.to_str().expect("UTF-8");
    let record = |more: &[&str]| {
        run(glasspoll().arg("run").args(more).args(["-o", path, "--", BUGS, "works"]), LIMIT).success();
        glasspoll_with(&["doctor", path]).stdout
    };
    at_last(|| has(&record(&[]), &["compute_page (away.rs:"]));
    at_last(|| {
        let text = record(&["--no-ptrace"]);
        assert!(!text.contains("at its stack"), "{text}");
        has(&text, &["that it was looked at"])
    });
}

#[test]
fn a_record_of_a_running_process_tells_where_it_is_stuck() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("record");
    let path = file.to_str().expect("UTF-8");
    let mut command = glasspoll();
    command.args(["run", OBSERVE, "--", "python3", "-c", STUCK]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut stuck = command.spawn().expect("the program");
    let mut line = String::new();
    BufReader::new(stuck.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("it says that it is ready");
    thread::sleep(Duration::from_millis(1200));
    run(glasspoll().args(["record", &stuck.id().to_string(), "-o", path]), LIMIT).success();
    let text = glasspoll_with(&["doctor", path]).stdout;
    drop(stuck.stdin.take());
    stuck.wait().expect("it ends");
    assert!(text.contains("asleep in read(fd 0)"), "{text}");
}

/// After some waits it reads from its standard input, for long.
const STUCK: &str = "
import os, select
set, (reader, writer) = select.epoll(), os.pipe()
set.register(reader, select.EPOLLIN)
for _ in range(5):
    os.write(writer, b'x')
    set.poll()
    os.read(reader, 1)
os.write(writer, b'x')
set.poll()
print('ready', flush=True)
os.read(0, 1)
";

#[test]
fn a_call_that_a_loop_sleeps_in_is_named() {
    for (program, call) in [("locked", "flock(fd "), ("naps", "nanosleep"), ("reads", "read(fd ")] {
        at_last(|| {
            let Some((text, _)) = away(program, &["--no-ptrace"])? else { return Ok(()) };
            has(&text, &["it slept in", call])
        });
    }
    at_last(|| {
        let Some((text, _)) = away("locked", &[])? else { return Ok(()) };
        has(&text, &["wait_for_lock (away.rs:"])
    });
}

#[test]
fn the_function_that_spins_is_named() {
    at_last(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("findings");
        run(&mut doctor(OBSERVE, &file, &[BUGS, "18"]), LIMIT);
        let found = findings(&file);
        let found = found.iter().find(|finding| finding["class"] == 18).ok_or("no finding")?;
        has(&found["evidence"].to_string(), &["left_ready (spins.rs:"])
    });
}

/// A loop that serves a pipe for 4 ms, a hundred times a second, and another one.
const BUSY: &str = "
import os, selectors, threading, time
loop = selectors.EpollSelector()
ends = [os.pipe() for _ in range(2)]
for reader, _ in ends: loop.register(reader, selectors.EVENT_READ)
def write():
    for _ in range(250):
        for _, writer in ends: os.write(writer, b'x')
        time.sleep(0.01)
threading.Thread(target=write, daemon=True).start()
end = time.monotonic() + 2.5
while time.monotonic() < end:
    for key, _ in loop.select(0.1):
        os.read(key.fd, 100)
        done = time.thread_time() + 0.004
        while time.thread_time() < done: pass
";

#[test]
fn a_program_that_is_stopped_is_not_slow() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("findings");
    let mut running = doctor(OBSERVE, &file, &["python3", "-c", BUSY]).spawn().expect("the doctor");
    let of = running.id();
    let child = || {
        let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
        text.split_whitespace().next().map(|pid| pid.parse::<i32>().expect("a number"))
    };
    eventually("the program runs", LIMIT, || child().is_some());
    let pid = child().expect("the program");
    thread::sleep(Duration::from_millis(500));
    for _ in 0..8 {
        // SAFETY: numbers.
        unsafe { libc::kill(pid, libc::SIGSTOP) };
        thread::sleep(Duration::from_millis(180));
        // SAFETY: numbers.
        unsafe { libc::kill(pid, libc::SIGCONT) };
        thread::sleep(Duration::from_millis(17));
    }
    running.wait().expect("it ends");
    // On a busy machine it may have no processor besides.
    let found = findings(&file);
    assert!(found.iter().all(|finding| finding["severity"] == "note"), "{found:#?}");
}

#[test]
fn no_thread_stays_stopped_if_the_command_is_killed() {
    let mut target = glasspoll();
    target.args(["run", OBSERVE, "--", BUGS, "works"]).stdout(Stdio::null());
    let mut target = target.spawn().expect("the program");
    let pid = target.id().to_string();
    for round in 0..8 {
        let mut command = glasspoll();
        command.args(["doctor", &pid]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = command.spawn().expect("the doctor");
        thread::sleep(Duration::from_millis(150 + 13 * round));
        running.kill().expect("it is killed");
        running.wait().expect("it has ended");
    }
    let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    eventually("nobody traces it", LIMIT, || status().contains("TracerPid:\t0\n") || status().is_empty());
    assert!(!status().contains("(stopped)") && !status().contains("(tracing stop)"), "{}", status());
    // It goes on to its end.
    assert!(target.wait().expect("it ends").success());
}
