//! Legal chaos: what is injected, and that it does not harm a correct program. `chaos_search` has the search for what
//! makes a program fail.

use glasspoll_tests::command::{events, glasspoll, of_kind};
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, Mode};
use serde_json::Value;

const FRAGILE: &str = env!("CARGO_BIN_EXE_fragile");

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
    // Injections that depend on how long something takes are left out.
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
            // Of the four events that were ready.
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

/// Runs a Python script that checks its events.
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
fn a_wrong_specification_is_named_with_what_to_write_instead() {
    let output = run(glasspoll().args(["run", "--chaos", "shrt=20%", "--", "true"]), LIMIT);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stderr.contains("shrt=20%") && output.stderr.contains("short=20%"), "{output:?}");
    // The library reports the wrong setting in one line, and the program runs without chaos.
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
