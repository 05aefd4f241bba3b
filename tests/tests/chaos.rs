//! Legal chaos: programs with a bug that it brings out, their mended twins and servers that it does not harm, and
//! `glasspoll run --chaos-until-fail`, which finds what made a program fail.

use glasspoll_tests::command::{events, glasspoll, of_kind};
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, Mode, Output};
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

const FRAGILE: &str = env!("CARGO_BIN_EXE_fragile");

fn search(seeds: u32, limit: u32, program: &[&str]) -> Output {
    let (seeds, limit) = (seeds.to_string(), limit.to_string());
    let mut command = glasspoll();
    command.args(["run", "--chaos", "all,seed=1", "--chaos-until-fail", &seeds, "--chaos-timeout", &limit]);
    run(command.arg("--").args(program), LIMIT)
}

/// A bug is found within 300 seeds, few injections are left, one of them of that kind, and the command that is
/// printed makes the program fail again.
fn check_found(bug: &str, kinds: &[&str]) {
    // What hangs is ended some times; no other run is to count as one that hangs, on however busy a machine.
    let found = search(300, if bug == "hanging" { 5 } else { 300 }, &[FRAGILE, bug]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let lines: Vec<&str> = found.stderr.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("glasspoll: seed ")), "{found:?}");
    let command = lines.last().and_then(|line| line.strip_prefix("  glasspoll ")).expect("the command");
    let spec = command.split('\'').nth(1).expect("a specification in quotes");
    let only = spec.split("only=").nth(1).expect("the injections").split('+').collect::<Vec<_>>();
    assert!(only.len() <= 2, "not the fewest: {found:?}");
    assert!(only.iter().any(|name| kinds.iter().any(|kind| name.ends_with(kind))), "{found:?}");
    if bug != "hanging" {
        let again = run(glasspoll().args(["run", "--chaos", spec, "--", FRAGILE, bug]), LIMIT);
        assert_eq!(again.status.code(), Some(1), "{spec}: {again:?}");
        assert!(!again.stdout.is_empty(), "{again:?}");
    }
}

fn check_unharmed(bug: &str) {
    let searched = search(20, 300, &[FRAGILE, bug, "--mended"]);
    assert_eq!(searched.status.code(), Some(0), "{searched:?}");
    assert!(searched.stderr.contains("it never failed: seeds 1 to 20"), "{searched:?}");
}

macro_rules! bugs {
    ($($name:ident: $bug:literal by $($kind:literal)+;)*) => {
        $(
            #[test]
            fn $name() {
                check_found($bug, &[$($kind),+]);
                check_unharmed($bug);
            }
        )*
    };
}

bugs! {
    an_edge_that_is_not_drained_is_found: "undrained" by "coalesce" "delay" "short";
    a_program_that_hangs_is_found: "hanging" by "coalesce" "delay" "short";
    an_order_that_is_assumed_is_found: "order" by "reorder" "short";
    an_eintr_that_is_not_handled_is_found: "interrupted" by "eintr";
    a_stale_pointer_in_the_batch_is_found: "stale" by "reorder";
    a_batch_that_must_be_whole_is_found: "all-at-once" by "short";
    a_refused_read_that_is_fatal_is_found: "refused" by "spurious";
    an_edge_that_must_come_once_is_found: "twice" by "repeat" "spurious";
}

fn recorded(spec: &str, program: &[&str]) -> Vec<Value> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("record");
    let mut command = glasspoll();
    command.args(["run", "--chaos", spec, "-o"]).arg(&file).arg("--").args(program);
    let output = run(&mut command, LIMIT);
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    events(&file)
}

/// What was injected, without times.
fn injections(events: &[Value]) -> Vec<String> {
    let one = |event: &&Value| {
        let amount = ["left", "moved", "events"].map(|key| event[key].to_string()).join(" ");
        format!("{}:{}:{} {} {amount}", event["epoll"], event["wait"], event["what"], event["fd"])
    };
    of_kind(events, "chaos").iter().map(one).collect()
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    let with = |spec: &str| injections(&recorded(spec, &[FRAGILE, "order", "--mended"]));
    // What depends on how long something takes is left out.
    let all = "all,eintr=0%,spurious=0%,delay=0..10us@10%";
    let first = with(&format!("{all},seed=7"));
    assert!(first.len() > 20, "{first:?}");
    assert_eq!(first, with(&format!("{all},seed=7")));
    assert_ne!(first, with(&format!("{all},seed=8")));
}

#[test]
fn each_injection_is_in_the_record_and_says_what_it_did() {
    let all = recorded("seed=3,short=60%,delay=1ms@20%", &[FRAGILE, "all-at-once", "--mended"]);
    let chaos = of_kind(&all, "chaos");
    let what = |kind: &str| chaos.iter().filter(|event| event["what"] == kind).count();
    assert_eq!(chaos.len(), what("short") + what("delay"), "{chaos:?}");
    for event in &chaos {
        let wait = event["wait"].as_u64().expect("a number");
        assert!(wait > 0 && event["epoll"] == 1, "{event}");
        match event["what"].as_str() {
            // Of the four that were ready.
            Some("short") => assert!((1..4).contains(&event["left"].as_u64().expect("a number")), "{event}"),
            _ => assert_eq!(event["after_ns"], 1_000_000, "{event}"),
        }
    }
    assert!(what("short") > 10 && what("delay") > 5, "{chaos:?}");
}

#[test]
fn nothing_but_what_is_named_is_injected() {
    let names = |spec: &str| -> Vec<String> {
        let all = recorded(spec, &[FRAGILE, "all-at-once", "--mended"]);
        let name = |event: &&Value| {
            format!("{}:{}:{}", event["epoll"], event["wait"], event["what"].as_str().expect("a word"))
        };
        of_kind(&all, "chaos").iter().map(name).collect()
    };
    let all = names("seed=3,short=60%,delay=0..10us@20%");
    assert!(all.len() > 10, "{all:?}");
    let some = [all[1].clone(), all[7].clone()];
    assert_eq!(names(&format!("seed=3,short=60%,delay=0..10us@20%,only={}", some.join("+"))), some);
    assert_eq!(injections(&recorded("all,only=", &[FRAGILE, "order", "--mended"])), Vec::<String>::new());
}

#[test]
fn each_forked_child_has_a_schedule_of_its_own() {
    if !program::have(&["python3"]) {
        return;
    }
    let script = r#"
import os, select
def loop(name):
    pairs = [os.pipe2(os.O_NONBLOCK) for _ in range(6)]
    ep = select.epoll()
    for r, _ in pairs: ep.register(r, select.EPOLLIN)
    seen = []
    for _ in range(40):
        for _, w in pairs: os.write(w, b'x')
        got = ep.poll(1)
        seen.append(len(got))
        for r, _ in pairs:
            try: os.read(r, 9)
            except BlockingIOError: pass
    os.write(1, (name + str(seen) + '\n').encode())
for child in range(2):
    if os.fork() == 0:
        loop('')
        os._exit(0)
    os.wait()
"#;
    let lines = || {
        let mut command = glasspoll();
        command
            .args(["run", "--chaos", "short=50%,seed=5", "--"])
            .arg(program::path("python3"))
            .args(["-c", script]);
        let text = run(&mut command, LIMIT).success();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let first = lines();
    assert_eq!(first.len(), 2, "{first:?}");
    assert_ne!(first[0], first[1]);
    assert_eq!(first, lines());
}

/// Runs a script of Python's that checks what it is told.
fn check_script(specs: &[&str], script: &str) {
    if !program::have(&["python3"]) {
        return;
    }
    for spec in specs {
        for seed in 1..4 {
            let mut command = glasspoll();
            let spec = format!("{spec},seed={seed}");
            command.args(["run", "--chaos", &spec, "--"]).arg(program::path("python3")).args(["-c", script]);
            let output = run(&mut command, LIMIT);
            assert_eq!(output.status.code(), Some(0), "{spec}: {output:?}");
        }
    }
}

#[test]
fn what_is_ready_is_told_though_edges_are_kept_back() {
    check_script(
        &["edge=coalesce@60%", "all"],
        r#"
import os, select
edge, level = os.pipe2(os.O_NONBLOCK), os.pipe2(os.O_NONBLOCK)
ep = select.epoll()
ep.register(edge[0], select.EPOLLIN | select.EPOLLET)
ep.register(level[0], select.EPOLLIN)
for turn in range(200):
    # A level item that was drained is still on the ready list.
    os.write(level[1], b'x')
    ep.poll(1)
    try: os.read(level[0], 9)
    except BlockingIOError: pass
    os.write(edge[1], b'x')
    assert ep.poll(0), turn
    try: os.read(edge[0], 9)
    except BlockingIOError: pass
    while ep.poll(0):
        for pipe in edge, level:
            try: os.read(pipe[0], 9)
            except BlockingIOError: pass
"#,
    );
}

#[test]
fn a_spurious_event_says_all_that_is_so_and_nothing_that_cannot_be() {
    check_script(
        &["spurious=60%", "all"],
        r#"
import os, select, socket
a, b = socket.socketpair()
pipe = os.pipe2(os.O_NONBLOCK)
full = os.pipe2(os.O_NONBLOCK)
os.write(full[1], b'x' * 65536)
server = socket.create_server(('127.0.0.1', 0))
for s in a, b, server: s.setblocking(False)
both = select.EPOLLIN | select.EPOLLOUT
ep = select.epoll()
ep.register(a, both | select.EPOLLET)
for file in pipe[0], full[1], server: ep.register(file, both)
for turn in range(300):
    try: events = ep.poll(0.001)
    except InterruptedError: continue
    for fd, bits in events:
        if fd == a.fileno(): assert bits & select.EPOLLOUT, bits
        elif fd == full[1]: assert bits == select.EPOLLOUT, bits
        else: assert bits == select.EPOLLIN, (fd, bits)
"#,
    );
}

#[test]
fn what_is_always_ready_gets_its_turn_in_any_order() {
    check_script(
        &["reorder"],
        r#"
import os, select
pipes = [os.pipe2(os.O_NONBLOCK) for _ in range(8)]
ep = select.epoll()
for r, w in pipes:
    ep.register(r, select.EPOLLIN)
    os.write(w, b'x')
seen = [ep.poll(1, 2) for _ in range(400)]
last = {}
for turn, events in enumerate(seen):
    for fd, _ in events:
        assert turn - last.get(fd, turn) <= 8, (fd, turn)
        last[fd] = turn
assert len(last) == 8
"#,
    );
}

#[test]
fn what_a_run_leaves_behind_is_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let pids = dir.path().join("pids");
    // A server that is left at a port would make the next run fail.
    let script = format!("{FRAGILE} order --mended; sleep 1000 & echo $! >> {}", pids.display());
    let searched = search(3, 300, &["sh", "-c", &script]);
    assert_eq!(searched.status.code(), Some(0), "{searched:?}");
    let pids = fs::read_to_string(pids).expect("the script writes it");
    assert_eq!(pids.lines().count(), 4);
    for pid in pids.lines() {
        let left = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!left.starts_with(b"sleep"), "{pid}");
    }
}

#[test]
fn the_record_of_the_failure_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("record");
    let mut command = glasspoll();
    command.args(["run", "--chaos", "all,seed=1", "--chaos-until-fail", "50", "-o"]).arg(&file);
    let found = run(command.args(["--", FRAGILE, "stale"]), LIMIT);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let kept = events(&file);
    assert_eq!(of_kind(&kept, "chaos").len(), 1, "{kept:?}");
}

/// A test that fails but once: the run in which it did is kept, and nothing is said of its failing again.
#[test]
fn the_record_of_a_failure_that_does_not_come_again_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, count) = (dir.path().join("record"), dir.path().join("count"));
    let script = format!("echo >>{0}; {FRAGILE} order --mended; [ $(wc -l <{0}) != 2 ]", count.display());
    let mut command = glasspoll();
    command.args(["run", "--chaos", "all,seed=1", "--chaos-until-fail", "5", "-o"]).arg(&file);
    let found = run(command.args(["--", "sh", "-c", &script]), LIMIT);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(
        found.stderr.contains("did not make it fail") && found.stderr.contains(" it failed:"),
        "{found:?}"
    );
    assert!(!found.stderr.contains(" it fails:"), "{found:?}");
    assert!(of_kind(&events(&file), "chaos").len() > 3);
}

#[test]
fn what_fails_without_chaos_is_no_find() {
    let output = search(5, 300, &["/bin/false"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stderr.contains("without chaos, too"), "{output:?}");
    let output = search(5, 300, &["/bin/true"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stderr.contains("nothing to inject"), "{output:?}");
}

#[test]
fn a_wrong_specification_is_named_with_what_to_write_instead() {
    let output = run(glasspoll().args(["run", "--chaos", "shrt=20%", "--", "true"]), LIMIT);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stderr.contains("shrt=20%") && output.stderr.contains("short=20%"), "{output:?}");
    // The library says it in one line, and the program runs without chaos.
    let mut command = Mode::Preloaded.command(FRAGILE);
    let output = run(command.arg("order").env("GLASSPOLL_CHAOS", "short=200%"), LIMIT);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stderr.contains("GLASSPOLL_CHAOS") && output.stderr.contains("100%"), "{output:?}");
}

#[test]
fn a_seed_that_was_not_given_is_printed() {
    let output =
        run(glasspoll().args(["run", "--chaos", "reorder", "--", FRAGILE, "order", "--mended"]), LIMIT);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.contains("--chaos seed="), "{output:?}");
}

/// Each kind alone, far more often than usual, and all at once.
#[test]
fn redis_survives_each_kind_of_chaos() {
    if !program::have(&["redis-server", "redis-benchmark"]) {
        return;
    }
    for spec in [
        "short=90%",
        "reorder",
        "spurious=30%",
        "eintr=30%",
        "delay=0..3ms@30%",
        "edge=coalesce@90%",
        "repeat=90%",
        "all",
    ] {
        eprintln!("--- {spec}");
        let dir = tempfile::tempdir().expect("a directory");
        let port = glasspoll_tests::port::free_port();
        let mut command = glasspoll_tests::redis::command(Mode::Preloaded, dir.path(), port);
        command.env("GLASSPOLL_CHAOS", format!("{spec},seed=3"));
        let mut server = glasspoll_tests::Server::start(command, dir.path(), port);
        let asked = run(
            &mut glasspoll_tests::redis::benchmark(
                &server,
                &["-t", "set,get,lpush", "-n", "3000", "-c", "20", "-q"],
            ),
            LIMIT,
        );
        assert!(asked.status.success(), "{asked:?}");
        assert_eq!(glasspoll_tests::redis::ask(&server, &["LLEN", "mylist"]), "3000");
        glasspoll_tests::redis::check_log(&server);
        server.stop();
    }
}

#[test]
fn a_search_that_is_interrupted_leaves_nothing_running() {
    for nth in 0..10 {
        interrupt_search(300 + 7 * nth);
    }
}

fn interrupt_search(after: u64) {
    let mark = format!("{}-{after}", std::process::id());
    let mut command = glasspoll();
    command.args([
        "run",
        "--chaos",
        "all",
        "--chaos-until-fail",
        "1000",
        "--",
        FRAGILE,
        "undrained",
        "--mended",
    ]);
    let mut child = command.env("FRAGILE_MARK", &mark).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(after));
    // SAFETY: the child was not waited for yet.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let status = child.wait().expect("it ends");
    // Between two runs nobody holds the signal back.
    assert!(status.code() == Some(130) || status.signal() == Some(libc::SIGTERM), "{status}");
    let wanted = format!("FRAGILE_MARK={mark}");
    let left = fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| {
        let environ = fs::read(Path::new(&entry.path()).join("environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    });
    assert_eq!(left.count(), 0);
}
