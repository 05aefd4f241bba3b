//! How many system calls a request costs, on the kernel's epoll and preloaded, side by side.
//!
//! The test fails if there are more calls than the budget, not if they take more time. The counts do not depend on the
//! scheduler, because a server and its client take turns (`lockstep`). `--nocapture` shows every call.

use glasspoll_tests::lockstep::{Counts, Lockstep};
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{in_both_modes, nginx, program, redis, strace, turn, Mode};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How busy a set counts as.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// The library decides; in these tests nothing is busy.
    Quiet,
    /// Busy from the start.
    Busy,
}

impl Pace {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Pace::Quiet => &[],
            Pace::Busy => &[("GLASSPOLL_HOT", "512")],
        }
    }
}

/// For a preloaded server: system calls for each request over one connection, and over fifty connections that ask at
/// the same time. Start, connecting and end are not in it.
const SERVERS: [(&str, Pace, f64, f64); 8] = [
    ("redis", Pace::Quiet, 5.15, 2.15),
    ("redis", Pace::Busy, 4.15, 2.15),
    ("nginx", Pace::Quiet, 10.15, 7.15),
    ("nginx", Pace::Busy, 9.15, 7.15),
    ("echo lt", Pace::Quiet, 5.15, 2.15),
    ("echo lt", Pace::Busy, 3.15, 2.15),
    ("echo et", Pace::Quiet, 6.15, 3.15),
    ("echo et", Pace::Busy, 4.15, 3.15),
];

/// For a preloaded program: system calls for each of these.
const CALLS: [(&str, Pace, f64); 6] = [
    ("add-del", Pace::Quiet, 9.1),
    ("add-del", Pace::Busy, 0.1),
    ("mod", Pace::Quiet, 2.1),
    ("mod", Pace::Busy, 0.1),
    ("wait-idle", Pace::Quiet, 1.1),
    ("wait-one", Pace::Quiet, 1.1),
];

/// Before each round: with this few requests a second a set does not become busy, however fast the machine is.
fn pause(connections: usize) -> Duration {
    Duration::from_millis(if connections > 1 { 20 } else { 1 })
}

/// After this many rounds the server has made the calls that it makes only once.
const FIRST_ROUNDS: usize = 20;

/// How many requests are counted.
const REQUESTS: usize = 1000;

/// What the server given by `arguments` calls for `REQUESTS` requests by `connections` together. All requests of a
/// round are there before the server looks, because over loopback a write has arrived when it returns.
fn count_server(mode: Mode, what: &str, pace: Pace, connections: usize) -> Counts {
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_port();
    let (arguments, request, tail) = server(what, dir.path(), port);
    let mut command = mode.command(&arguments[0]);
    command.args(&arguments[1..]).current_dir(&dir);
    if mode == Mode::Preloaded {
        command.envs(pace.settings().iter().copied());
    }
    let mut server = Lockstep::start(command);
    let mut streams: Vec<TcpStream> = (0..connections).map(|_| connect(port)).collect();
    let mut before = Counts::new();
    for round in 0..FIRST_ROUNDS + REQUESTS / connections {
        if round == FIRST_ROUNDS {
            before = server.counts();
        }
        thread::sleep(pause(connections));
        for stream in &mut streams {
            stream.write_all(request.as_bytes()).expect("the server reads");
        }
        let mut answers = vec![Vec::new(); connections];
        let mut answered = false;
        while !answered {
            server.run_to_wait();
            let mut both = streams.iter_mut().zip(&mut answers);
            answered = both.all(|(stream, answer)| is_answered(stream, answer, &tail));
        }
    }
    let held = server.kernel_epolls();
    assert_eq!(held > 0, mode == Mode::Native, "{held} epolls of the kernel");
    since(&before, server.counts())
}

/// The calls between two counts.
fn since(before: &Counts, mut after: Counts) -> Counts {
    for (name, count) in &mut after {
        *count = count.saturating_sub(before.get(name).copied().unwrap_or(0));
    }
    after
}

/// A connection. A read waits for a second, far longer than an answer that was sent needs to arrive.
fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a TCP socket");
    stream
}

/// Whether the complete answer is there. If not, the server must go on first.
fn is_answered(stream: &mut TcpStream, answer: &mut Vec<u8>, tail: &str) -> bool {
    let mut buffer = [0; 4096];
    while !answer.ends_with(tail.as_bytes()) {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("closed after {:?}", String::from_utf8_lossy(answer)),
            Ok(got) => answer.extend(&buffer[..got]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
    }
    true
}

/// A command line, a request, and the end of the answer.
fn server(what: &str, dir: &Path, port: u16) -> (Vec<String>, String, String) {
    let echo = |trigger: &str| {
        let text = format!("{:63}\n", "hello");
        let arguments = [env!("CARGO_BIN_EXE_echo_server"), &port.to_string(), trigger];
        (arguments.map(str::to_owned).to_vec(), text.clone(), text)
    };
    match what {
        "redis" => {
            let mut arguments = redis::arguments(dir, port);
            // At each tick redis reads a file of /proc, and the number of ticks during a request depends on the clock.
            arguments.extend(["--hz", "1"].map(str::to_owned));
            (arguments, "GET key\r\n".to_owned(), "$-1\r\n".to_owned())
        }
        "nginx" => {
            nginx::configure(dir, port, 1);
            let request = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
            (nginx::arguments(dir), request.to_owned(), nginx::PAGE.to_owned())
        }
        "echo lt" => echo("lt"),
        "echo et" => echo("et"),
        _ => unreachable!("no server {what}"),
    }
}

/// Counts the calls for `requests` in both modes, prints them for each request, and compares the preloaded sum with
/// `budget`.
fn check(what: &str, requests: usize, budget: f64, count: impl Fn(Mode) -> Counts) {
    let counted = RefCell::new([Counts::new(), Counts::new()]);
    in_both_modes(|mode| {
        counted.borrow_mut()[usize::from(mode == Mode::Preloaded)] = count(mode);
    });
    let [native, preloaded] = counted.into_inner();
    let requests = requests as f64;
    let sum = |counts: &Counts| counts.values().sum::<u64>() as f64 / requests;
    let names: BTreeSet<&String> = native.keys().chain(preloaded.keys()).collect();
    let mut table = format!("{what}: system calls for each request\n{:20} native preloaded\n", "");
    let mut line = |name: &str, native: f64, preloaded: f64| {
        if native.max(preloaded) >= 0.005 {
            table += &format!("{name:20} {native:6.2} {preloaded:9.2}\n");
        }
    };
    for name in names {
        let of = |counts: &Counts| counts.get(name).copied().unwrap_or(0) as f64 / requests;
        line(name, of(&native), of(&preloaded));
    }
    line("all", sum(&native), sum(&preloaded));
    eprintln!("{table}");
    assert!(sum(&preloaded) <= budget, "the budget is {budget}; {table}");
}

fn check_server(what: &str, programs: &[&str]) {
    if !program::have(programs) {
        return;
    }
    let _turn = turn::take();
    for (_, pace, one, fifty) in SERVERS.into_iter().filter(|(name, ..)| *name == what) {
        for (connections, budget) in [(1, one), (50, fifty)] {
            let title = format!("{what}, {pace:?}, {connections} connections");
            check(&title, REQUESTS, budget, |mode| count_server(mode, what, pace, connections));
        }
    }
}

#[test]
fn redis_keeps_to_its_system_calls() {
    check_server("redis", &redis::PROGRAMS);
}

#[test]
fn nginx_keeps_to_its_system_calls() {
    check_server("nginx", &["nginx"]);
}

#[test]
fn a_level_triggered_echo_server_keeps_to_its_system_calls() {
    check_server("echo lt", &[]);
}

#[test]
fn an_edge_triggered_echo_server_keeps_to_its_system_calls() {
    check_server("echo et", &[]);
}

/// The two numbers of calls; the difference of their counts matters.
const FEW_AND_MANY: [usize; 2] = [1000, 3000];

/// The system calls of `calls` for `count` calls of `kind`.
fn count_calls(mode: Mode, kind: &str, pace: Pace, count: usize) -> Counts {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("calls");
    let arguments = [env!("CARGO_BIN_EXE_calls"), kind, &count.to_string()].map(str::to_owned);
    let settings = pace.settings().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    run(&mut strace::counting(mode, &settings, &log, &arguments), LIMIT).success();
    strace::counts(&log)
}

#[test]
fn single_calls_keep_to_their_system_calls() {
    if !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    let [few, many] = FEW_AND_MANY;
    for (kind, pace, budget) in CALLS {
        check(&format!("{kind}, {pace:?}"), many - few, budget, |mode| {
            since(&count_calls(mode, kind, pace, few), count_calls(mode, kind, pace, many))
        });
    }
}
