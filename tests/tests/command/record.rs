//! The record that each process keeps of its event flow: where it is, what is in it, and that it does not harm a
//! process.

use glasspoll_tests::run::LIMIT;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use glasspoll_record::event::{Ctl, Event, Known, Op};
use glasspoll_record::find::{self, Missing};
use glasspoll_record::stream::Stream;
use glasspoll_record::Entry;
use glasspoll_tests::run::{eventually, run};
use glasspoll_tests::{nginx, program, redis, turn, Mode};

/// A program of this crate, preloaded.
fn ours(name: &str) -> Command {
    let exe = std::env::current_exe().expect("/proc is mounted");
    let program: PathBuf = exe.ancestors().nth(2).expect("cargo built this").join(name);
    Mode::Preloaded.command(program)
}

/// A Python program that prints a line when it is ready, and then waits for its standard input.
struct Script {
    child: Child,
    _stdin: ChildStdin,
}

impl Script {
    fn start(command: &mut Command, text: &str) -> Self {
        let text =
            format!("import select, os, sys\n{text}\nprint('here', flush=True)\nsys.stdin.readline()\n");
        let mut child = command
            .args(["-c", &text])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a pipe");
        assert_eq!(line, "here\n");
        let stdin = child.stdin.take().expect("a pipe");
        Self { child, _stdin: stdin }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python(mode: Mode) -> Command {
    mode.command(program::path("python3"))
}

const ONE_SET: &str = "e = select.epoll(); r, w = os.pipe(); e.register(r, select.EPOLLIN)";

fn missing(pid: u32) -> Missing {
    find::open(pid).map(|live| format!("{live:?}")).expect_err("there is no record")
}

fn events(pid: u32) -> Vec<Entry> {
    let mut stream = Stream::new(find::open(pid).expect("a record"));
    let events = stream.poll().expect("a record");
    assert_eq!(stream.torn, 0);
    events
}

#[test]
fn a_process_without_a_record_says_why() {
    if !program::have(&["python3"]) {
        return;
    }
    let native = Script::start(&mut python(Mode::Native), ONE_SET);
    assert_eq!(missing(native.pid()), Missing::NotPreloaded);
    let without_sets = Script::start(&mut python(Mode::Preloaded), "");
    assert_eq!(missing(without_sets.pid()), Missing::NoRing);
    let off = Script::start(python(Mode::Preloaded).env("GLASSPOLL_RING", "off"), ONE_SET);
    assert_eq!(missing(off.pid()), Missing::NoRing);
    assert_eq!(missing(u32::MAX / 2), Missing::NoProcess);
}

#[test]
fn a_record_has_what_happened_and_what_is_there() {
    if !program::have(&["python3"]) {
        return;
    }
    let text = "e = select.epoll(); r, w = os.pipe(); e.register(r, select.EPOLLIN)\n\
                os.write(w, b'x'); e.poll(); os.read(r, 9)\n\
                import socket; s = socket.socket(); s.setblocking(False)\n\
                e.register(s, select.EPOLLOUT); s.connect_ex(('127.0.0.1', 1)); s.close()\n\
                d = os.dup(r); os.close(r)\n\
                try: os.close(77)\n\
                except OSError: pass\n\
                try: e.register(sys.stdin.fileno() + 90)\n\
                except OSError: pass";
    let script = Script::start(&mut python(Mode::Preloaded), text);
    let events: Vec<Event> = events(script.pid()).into_iter().map(|entry| entry.event).collect();
    let has = |what: &str, is_it: &dyn Fn(&Event) -> bool| {
        assert!(events.iter().any(is_it), "no {what} in {events:#?}");
    };
    has("create", &|event| matches!(event, Event::Create { epoll: 1, inherited: false, .. }));
    has("add", &|event| matches!(event, Event::Ctl { op: Some(Ctl::Add), errno: 0, item: 1, .. }));
    has("refused add", &|event| matches!(event, Event::Ctl { op: Some(Ctl::Add), errno: 9, fd: 90, .. }));
    has("wait", &|event| matches!(event, Event::WaitEnter { epoll: 1, timeout_ns: -1, .. }));
    has("delivery", &|event| matches!(event, Event::Deliver { item: 1, events: 1, nth: 0, .. }));
    has("return", &|event| matches!(event, Event::WaitReturn { n: 1, .. }));
    has("read", &|event| matches!(event, Event::Io { op: Op::Read, result: 1, asked: 9, errno: 0, .. }));
    has("connect", &|event| matches!(event, Event::Io { op: Op::Connect, result: -1, .. }));
    has("dup", &|event| matches!(event, Event::Dup { .. }));
    let is_close = |event: &Event| matches!(event, Event::Close { fd, lives_as, errno: 0 } if lives_as > fd);
    has("close of one of two", &is_close);
    has("close of none", &|event| matches!(event, Event::Close { fd: 77, errno: 9, .. }));
    let (head, items) = find::open(script.pid()).expect("a record").read_items().expect("items");
    assert_eq!((head.left_out, items.len()), (0, 2));
    assert!(items[0].is_set && items[0].delivered == 1, "{items:?}");
    assert!(!items[1].is_set && items[1].delivered == 1 && items[1].interest & 1 == 1, "{items:?}");
}

#[test]
fn a_record_cannot_be_changed_from_outside() {
    if !program::have(&["python3"]) {
        return;
    }
    let script = Script::start(&mut python(Mode::Preloaded), ONE_SET);
    let path = find::path(script.pid()).expect("a record");
    let mut file = fs::OpenOptions::new().write(true).open(path).expect("the same user may");
    assert!(file.write_all(b"x").is_err(), "written to");
    assert!(file.set_len(1).is_err(), "cut");
    assert!(!events(script.pid()).is_empty());
}

#[test]
fn a_forked_child_has_a_record_of_its_own() {
    if !program::have(&["python3"]) {
        return;
    }
    let text = format!(
        "{ONE_SET}\n\
         done = os.pipe()\n\
         pid = os.fork()\n\
         if pid == 0:\n\
        \x20   os.write(w, b'x'); e.poll(); os.read(r, 1); os.write(done[1], b'x')\n\
        \x20   import time; time.sleep(30); os._exit(0)\n\
         open(os.environ['CHILD'], 'w').write(str(pid))\n\
         os.read(done[0], 1)"
    );
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("child");
    let script = Script::start(python(Mode::Preloaded).env("CHILD", &path), &text);
    let child: u32 = fs::read_to_string(&path).expect("written").parse().expect("a pid");
    let live = find::open(child).expect("a record");
    assert_eq!((live.header().pid, live.header().ppid), (child, script.pid()));
    assert!(live.header().forked && !find::open(script.pid()).expect("a record").header().forked);
    let own = events(child);
    let inherited = |entry: &Entry| matches!(entry.event, Event::Create { inherited: true, .. });
    assert!(own.iter().any(inherited), "{own:#?}");
    assert!(own.iter().any(|entry| matches!(entry.event, Event::Deliver { .. })), "{own:#?}");
    let parents = events(script.pid());
    assert!(!parents.iter().any(|entry| matches!(entry.event, Event::Deliver { .. })), "{parents:#?}");
    assert!(parents.iter().any(|entry| entry.event == Event::Fork { child: child as i32 }), "{parents:#?}");
    let (_, items) = live.read_items().expect("items");
    assert_eq!(items.len(), 2, "the set and its item: {items:?}");
    // SAFETY: a process of ours.
    unsafe { libc::kill(child as i32, libc::SIGKILL) };
}

/// A set with two fds is also one set to a child, and its items are listed once.
#[test]
fn a_forked_child_records_a_set_with_two_fds_once() {
    if !program::have(&["python3"]) {
        return;
    }
    let text = format!("{ONE_SET}\nd = os.dup(e.fileno())\nif os.fork(): os.wait(); os._exit(0)\ne.poll(0)");
    let script = Script::start(&mut python(Mode::Preloaded), &text);
    let children =
        fs::read_to_string(format!("/proc/{0}/task/{0}/children", script.pid())).expect("a process");
    let child: u32 = children.trim().parse().expect("one child");
    let (_, items) = find::open(child).expect("a record").read_items().expect("items");
    assert_eq!(items.len(), 2, "the set and its item: {items:?}");
    let created = events(child).into_iter().filter(|entry| matches!(entry.event, Event::Create { .. }));
    assert_eq!(created.count(), 1);
    // SAFETY: a process of ours.
    unsafe { libc::kill(child as i32, libc::SIGKILL) };
}

/// A program that goes on in a child, again and again, has only its own record mapped.
#[test]
fn a_chain_of_forks_piles_up_no_records() {
    if !program::have(&["python3"]) {
        return;
    }
    let text = format!(
        "{ONE_SET}\n\
         for _ in range(5):\n\
        \x20   pid = os.fork()\n\
        \x20   if pid: os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n\
        \x20   os.write(w, b'x'); assert len(e.poll(5)) == 1; os.read(r, 1)\n\
         records = [line for line in open('/proc/self/maps') if 'memfd:glasspoll' in line]\n\
         os._exit(len(records))"
    );
    let output = run(python(Mode::Preloaded).args(["-c", &format!("import os, select\n{text}")]), LIMIT);
    assert_eq!((output.status.code(), output.stderr.as_str()), (Some(1), ""));
}

/// What a child does with its own fds before an exec is not recorded as an act of its parent.
#[test]
fn what_a_vfork_child_does_is_not_recorded() {
    if !program::have(&["python3"]) {
        return;
    }
    let text = format!(
        "{ONE_SET}\n\
         import ctypes; libc = ctypes.CDLL(None)\n\
         assert libc.close(79) == -1\n\
         import subprocess; subprocess.run(['true'], close_fds=False)\n\
         try: subprocess.run(['/none'])\n\
         except OSError: pass"
    );
    let script = Script::start(&mut python(Mode::Preloaded), &text);
    let events: Vec<Event> = events(script.pid()).into_iter().map(|entry| entry.event).collect();
    assert!(events.iter().any(|event| matches!(event, Event::Close { fd: 79, errno: 9, .. })), "{events:#?}");
    assert!(!events.contains(&Event::Exec), "{events:#?}");
}

/// If the record gets no memory, the program does not notice.
#[test]
fn a_program_runs_on_where_no_record_can_be_made() {
    if !program::have(&["python3"]) {
        return;
    }
    let text = "import resource, select, os\n\
                resource.setrlimit(getattr(resource, os.environ['LIMIT']), (int(os.environ['TO']),) * 2)\n\
                e = select.epoll(); r, w = os.pipe(); e.register(r, 1); os.write(w, b'x')\n\
                os._exit(10 + len(e.poll(1)))\n";
    // First with too little room for many items, then without room for any.
    for (limit, to) in [("RLIMIT_FSIZE", "5000000"), ("RLIMIT_FSIZE", "0"), ("RLIMIT_AS", "60000000")] {
        let mut command = python(Mode::Preloaded);
        command.args(["-c", text]).env("LIMIT", limit).env("TO", to);
        let output = run(&mut command, LIMIT);
        assert_eq!((output.status.code(), output.stderr.as_str()), (Some(11), ""), "{limit} {to}");
    }
}

/// The moment when a file became ready is exact if a thread watches all the time; otherwise it is never later than the
/// record says.
#[test]
fn the_time_of_becoming_ready_is_exact_or_a_bound() {
    const ROUNDS: usize = 50;
    for exact in [true, false] {
        let mut command = ours("delays");
        command.args([ROUNDS.to_string(), "2000".to_owned()]);
        command.env("GLASSPOLL_READY", if exact { "exact" } else { "auto" });
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was built with this");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let written = lines.take(ROUNDS).map(|line| {
            let line = line.expect("a pipe");
            let number = |text: &str| text.parse::<u64>().expect("a number");
            line.split_once(' ').map(|(before, after)| number(before)..=number(after)).expect("two numbers")
        });
        let written: Vec<_> = written.collect();
        let events = events(child.id());
        drop(child.stdin.take());
        assert!(child.wait().expect("our child").success());
        let delivered = events.iter().filter_map(|entry| match entry.event {
            Event::Deliver { ready_ns, known, .. } => Some((entry.ns, entry.ns - ready_ns, known)),
            _ => None,
        });
        let delivered: Vec<_> = delivered.collect();
        assert_eq!((written.len(), delivered.len()), (ROUNDS, ROUNDS));
        let mut late: Vec<u64> = Vec::new();
        for ((at, since, known), written) in delivered.into_iter().zip(written) {
            // Two clocks, which differ by less than this.
            assert!(*written.start() <= at + 20_000, "delivered at {at}, written {written:?}");
            match known {
                Known::Exactly => {
                    let before = written.start().saturating_sub(since);
                    late.push(before.max(since.saturating_sub(*written.end())));
                }
                Known::NotBefore => assert!(since <= written.end() + 20_000, "{since} {written:?}"),
            }
        }
        late.sort_unstable();
        if exact {
            assert!(late.len() > ROUNDS * 9 / 10, "{} are exact", late.len());
            let median = late[late.len() / 2];
            eprintln!("the median of the differences is {} µs", median as f64 / 1000.0);
            assert!(median < 1_000_000, "{late:?}");
        }
    }
}

#[test]
fn redis_and_nginx_keep_records_under_load() {
    if !program::have(&redis::PROGRAMS) || !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    let dir = tempfile::tempdir().expect("a directory");
    let server = redis::start(Mode::Preloaded, dir.path());
    let mut stream = Stream::new(find::open(server.pid()).expect("a record"));
    let mut load = redis::benchmark(&server, &["-q", "-n", "50000", "-t", "get", "-c", "50"]);
    let mut load = load.stdout(Stdio::null()).spawn().expect("it is installed");
    let (mut deliveries, mut last) = (0, 0);
    while load.try_wait().expect("our child").is_none() {
        for entry in stream.poll().expect("a record") {
            deliveries += usize::from(matches!(entry.event, Event::Deliver { .. }));
            last = last.max(entry.ns);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(deliveries > 10_000, "{deliveries}, {} blocks lost", stream.lost_blocks);
    assert_eq!(stream.torn, 0);
    assert!(last > 0);
    drop(server);
    let dir = tempfile::tempdir().expect("a directory");
    let server = nginx::start(Mode::Preloaded, dir.path(), 2);
    nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, true)));
    eventually("each worker has a record", LIMIT, || {
        let with_one = server.processes().into_iter().filter(|pid| find::open(*pid).is_ok());
        with_one.count() >= 2
    });
}
