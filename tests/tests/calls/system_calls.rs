//! How many system calls a request costs, on the kernel's epoll and preloaded, side by side.
//!
//! More calls than the budget are a failure; more time is not. `--nocapture` shows every call.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{in_both_modes, nginx, program, redis, strace, turn, Mode, Server};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How busy a set counts as.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// It decides for itself; under strace nothing is busy.
    Quiet,
    /// Busy from the start.
    Busy,
}

impl Pace {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Pace::Quiet => &[],
            Pace::Busy => &["GLASSPOLL_HOT=512"],
        }
    }
}

/// For a preloaded server: system calls for each request over one connection, and over fifty that
/// ask all together. Start, connecting and end are not in it.
const SERVERS: [(&str, Pace, f64, f64); 8] = [
    ("redis", Pace::Quiet, 7.15, 2.15),
    ("redis", Pace::Busy, 4.15, 2.15),
    ("nginx", Pace::Quiet, 12.15, 7.15),
    ("nginx", Pace::Busy, 9.15, 7.15),
    ("echo lt", Pace::Quiet, 6.15, 2.15),
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

type Counts = BTreeMap<String, u64>;

/// Before each round: the server, slow under strace, has gone to sleep by then.
const PAUSE: Duration = Duration::from_millis(1);

/// Requests by `connections` together, `rounds` times; an answer ends with `tail`.
fn load(server: &Server, connections: usize, rounds: usize, request: &str, tail: &str) {
    let mut streams: Vec<TcpStream> = (0..connections).map(|_| server.connect()).collect();
    let mut answer = [0; 4096];
    for _ in 0..rounds {
        thread::sleep(PAUSE);
        for stream in &mut streams {
            stream.write_all(request.as_bytes()).expect("the server reads");
        }
        for stream in &mut streams {
            let mut got = 0;
            while !answer[..got].ends_with(tail.as_bytes()) {
                let more = stream.read(&mut answer[got..]).expect("the server answers");
                assert!(more > 0, "closed after {:?}", String::from_utf8_lossy(&answer[..got]));
                got += more;
            }
        }
    }
}

/// What the server given by `arguments` calls under that load, from start to end.
fn count_server(mode: Mode, what: &str, pace: Pace, connections: usize, rounds: usize) -> Counts {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, port) = (dir.path().join("calls"), free_port());
    let (arguments, request, tail) = server(what, dir.path(), port);
    let mut server =
        Server::start(strace::counting(mode, pace.settings(), &log, &arguments), dir.path(), port);
    load(&server, connections, rounds, &request, &tail);
    server.signal(libc::SIGTERM);
    server.wait();
    strace::counts(&log)
}

/// A command line, a request, and the end of the answer.
fn server(what: &str, dir: &Path, port: u16) -> (Vec<String>, String, String) {
    let echo = |trigger: &str| {
        let text = format!("{:63}\n", "hello");
        let arguments = [env!("CARGO_BIN_EXE_echo_server"), &port.to_string(), trigger];
        (arguments.map(str::to_owned).to_vec(), text.clone(), text)
    };
    match what {
        "redis" => (redis::arguments(dir, port), "GET key\r\n".to_owned(), "$-1\r\n".to_owned()),
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

/// How often it is counted until a sum keeps to its budget: into how many waits the requests of many connections
/// fall, and so how many calls they cost, is up to the machine's other work. A call too many is there each time.
const TRIES: usize = 10;

/// Counts in both modes the calls of `few` and of `many` rounds; prints the difference for each of
/// the `in_a_round` requests, and holds the preloaded sum against `budget`.
fn check(
    what: &str,
    [few, many]: [usize; 2],
    in_a_round: usize,
    budget: f64,
    count: impl Fn(Mode, usize) -> Counts,
) {
    let mut over = String::new();
    for _ in 0..TRIES {
        match compare(what, [few, many], in_a_round, budget, &count) {
            Ok(()) => return,
            Err(table) => over = table,
        }
    }
    panic!("{over}");
}

/// One such count. Err: it is over the budget.
fn compare(
    what: &str,
    [few, many]: [usize; 2],
    in_a_round: usize,
    budget: f64,
    count: impl Fn(Mode, usize) -> Counts,
) -> Result<(), String> {
    let requests = ((many - few) * in_a_round) as f64;
    let counted = RefCell::new([Counts::new(), Counts::new()]);
    in_both_modes(|mode| {
        let (before, mut counts) = (count(mode, few), count(mode, many));
        for (name, count) in &mut counts {
            *count = count.saturating_sub(before.get(name).copied().unwrap_or(0));
        }
        counted.borrow_mut()[usize::from(mode == Mode::Preloaded)] = counts;
    });
    let [native, preloaded] = counted.into_inner();
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
    if sum(&preloaded) <= budget {
        Ok(())
    } else {
        Err(format!("the budget is {budget}; {table}"))
    }
}

fn check_server(what: &str, programs: &[&str]) {
    if !program::have(programs) || !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    for (_, pace, one, fifty) in SERVERS.into_iter().filter(|(name, ..)| *name == what) {
        for (connections, rounds, budget) in [(1, [200, 1200], one), (50, [20, 120], fifty)] {
            let title = format!("{what}, {pace:?}, {connections} connections");
            check(&title, rounds, connections, budget, |mode, rounds| {
                count_server(mode, what, pace, connections, rounds)
            });
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

/// What `calls` makes for `count` calls of `kind`.
fn count_calls(mode: Mode, kind: &str, pace: Pace, count: usize) -> Counts {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("calls");
    let arguments = [env!("CARGO_BIN_EXE_calls"), kind, &count.to_string()].map(str::to_owned);
    run(&mut strace::counting(mode, pace.settings(), &log, &arguments), LIMIT).success();
    strace::counts(&log)
}

#[test]
fn single_calls_keep_to_their_system_calls() {
    if !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    for (kind, pace, budget) in CALLS {
        let title = format!("{kind}, {pace:?}");
        check(&title, [1000, 3000], 1, budget, |mode, count| count_calls(mode, kind, pace, count));
    }
}
