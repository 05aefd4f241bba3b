//! Programs that the kernel's epoll answers, and that the library observes: their records have what they did, and all
//! commands work on them and say whose epoll it was.

use glasspoll_tests::command::{events, glasspoll, glasspoll_with, of_kind};
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run};
use glasspoll_tests::screen::Screen;
use glasspoll_tests::{program, Mode, Server};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What the commands say of such a process.
const OBSERVED: &str = "observed: the kernel's epoll";

/// Runs a script observed, with the record in `dir`.
fn recorded(dir: &Path, name: &str, options: &[&str]) -> (PathBuf, glasspoll_tests::Output) {
    let record = dir.join("record");
    let mut command = glasspoll();
    command.args(["run", "--observe", "-o"]).arg(&record).args(options).arg("--");
    command.arg(program::path("python3")).arg(script(name));
    let output = run(&mut command, LIMIT);
    assert_eq!(output.stdout, "ended\n", "{output:?}");
    assert!(output.status.success(), "{output:?}");
    (record, output)
}

fn script(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Starts the script that gets an event every millisecond, observed.
fn ticking(dir: &Path) -> Server {
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.arg(script("epoll_ticks.py")).env("GLASSPOLL_ENGINE", "observe");
    let server = Server::spawn(command, dir, 0);
    eventually("the script is ready", LIMIT, || server.stdout().contains("ready"));
    let pid = server.pid().to_string();
    eventually("events have come", LIMIT, || of_kind(&events(&pid), "deliver").len() > 10);
    server
}

/// How many waits have returned in each process.
fn waits(events: &[Value]) -> BTreeMap<u64, usize> {
    let mut waits = BTreeMap::new();
    for event in of_kind(events, "wait_return") {
        *waits.entry(event["pid"].as_u64().expect("a pid")).or_default() += 1;
    }
    waits
}

/// The only release of a file with items. A set has none.
fn released(events: &[Value]) -> Value {
    let all = of_kind(events, "release");
    let mut with_items = all.iter().filter(|event| event["items"] != 0);
    let released = with_items.next().unwrap_or_else(|| panic!("{all:?}"));
    assert!(with_items.next().is_none(), "{all:?}");
    (*released).clone()
}

/// The only finding of a class in what `doctor --json` prints of a file.
fn finding(record: &Path, class: u64) -> Value {
    let output = run(glasspoll().args(["doctor", "--json"]).arg(record), LIMIT);
    let all: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let findings = all["findings"].as_array().expect("a list");
    let mut of_class = findings.iter().filter(|finding| finding["class"] == class);
    let found = of_class.next().unwrap_or_else(|| panic!("no finding of class {class}: {all:#}"));
    assert!(of_class.next().is_none(), "{all:#}");
    found.clone()
}

#[test]
fn the_record_has_each_station_and_nothing_that_only_our_epoll_knows() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let (record, output) = recorded(dir.path(), "observed_echo.py", &[]);
    assert_eq!(output.stderr, "");
    let events = events(&record);
    let add = of_kind(&events, "ctl")[0];
    assert_eq!((&add["op"], &add["events"]), (&"ADD".into(), &"IN".into()));
    // Python makes a set to see whether it can.
    let create = of_kind(&events, "create");
    let create = create.iter().find(|event| event["epoll"] == add["epoll"]).expect("its set");
    assert_eq!((&create["observed"], &create["inherited"]), (&true.into(), &false.into()));
    assert!(add["item"].as_u64().is_some_and(|item| item > 0) && add["errno"].is_null(), "{add}");
    // Twenty bytes and the end.
    let delivered = of_kind(&events, "deliver");
    assert_eq!(delivered.len(), 21);
    for event in &delivered {
        assert_eq!((&event["fd"], &event["item"]), (&add["fd"], &add["item"]), "{event}");
    }
    assert!(delivered.iter().any(|event| event["exact"] == true), "the waits slept: {delivered:?}");
    let returned = of_kind(&events, "wait_return");
    assert_eq!(returned.iter().filter_map(|event| event["n"].as_i64()).sum::<i64>(), 21);
    assert_eq!(of_kind(&events, "wait_enter").len(), returned.len());
    let released = released(&events);
    assert_eq!((&released["fd"], &released["items"]), (&add["fd"], &1.into()), "{released}");
    assert_eq!(released["shared"], false);
    for kind in ["arm", "disarm", "wakeup", "ready", "chaos"] {
        assert_eq!(of_kind(&events, kind), Vec::<&Value>::new());
    }
}

#[test]
fn the_commands_say_whose_epoll_it_was() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let (record, output) = recorded(dir.path(), "observed_echo.py", &["-c"]);
    assert!(output.stderr.lines().next().is_some_and(|line| line.ends_with(OBSERVED)), "{output:?}");
    let path = record.to_str().expect("a path in UTF-8");
    assert!(glasspoll_with(&["dump", path]).success().contains(" observed=yes"));
    let report = |name: &str| {
        let made = dir.path().join(name);
        run(glasspoll().args(["report", path, "-o"]).arg(&made), LIMIT).success();
        fs::read_to_string(made).expect("it was made")
    };
    assert!(report("report.txt").contains(OBSERVED));
    assert!(report("report.html").contains(r#""observed":true"#));
    assert!(report("report.json").contains(OBSERVED));
    let output = glasspoll_with(&["doctor", path]);
    assert!(output.stdout.contains(OBSERVED) && output.status.code() == Some(0), "{output:?}");
    let json: Value =
        serde_json::from_str(&glasspoll_with(&["doctor", "--json", path]).stdout).expect("JSON");
    assert_eq!(json["processes"][0]["observed"], true, "{json:#}");
}

#[test]
fn ls_lists_an_observed_set_once() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = ticking(dir.path());
    let pid = server.pid().to_string();
    let text = glasspoll_with(&["ls", &pid]).success();
    assert!(text.contains(OBSERVED), "{text}");
    assert_eq!(text.matches("pipe (reading)").count(), 1, "{text}");
    assert!(!text.contains("epoll of the kernel's") && !text.contains("cold"), "{text}");
    let json: Value = serde_json::from_str(&glasspoll_with(&["ls", "--json", &pid]).success()).expect("JSON");
    let process = &json["processes"][0];
    assert_eq!((&process["observed"], &process["exact"]), (&true.into(), &false.into()), "{json:#}");
    let set = &process["sets"][0];
    assert_eq!(set["items"][0]["state"], "unknown", "{json:#}");
    assert!(set["items"][0]["delivered"].as_u64().is_some_and(|count| count > 0), "{json:#}");
    let epfds = process["kernel_sets"][0]["epfds"].as_array().expect("a list");
    assert!(epfds.contains(&set["epfd"]), "{json:#}");
}

#[test]
fn a_running_process_is_looked_into() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = ticking(dir.path());
    let pid = server.pid().to_string();
    let record = dir.path().join("record");
    run(glasspoll().args(["record", &pid, "-o"]).arg(&record), LIMIT).success();
    for events in [events(&pid), events(&record)] {
        // The byte is written before each wait, so it is not known since when it is there.
        assert!(of_kind(&events, "deliver").iter().any(|event| event["exact"] == false));
    }
    let output = glasspoll_with(&["doctor", "--seconds", "0.5", &pid]);
    assert!(output.stdout.contains(OBSERVED) && output.status.code() == Some(0), "{output:?}");
}

#[test]
fn top_says_whose_epoll_it_is() {
    if !program::have(&["python3", "tmux"]) {
        return;
    }
    let dir = dir();
    let server = ticking(dir.path());
    let mut command = glasspoll();
    command.args(["top", "--interval", "200", &server.pid().to_string()]);
    let screen = Screen::new(100, 24, &command);
    screen.until(&[OBSERVED, "pipe (reading)", "events/s"]);
    screen.press(&["q"]);
    screen.until(&["status 0"]);
}

#[test]
fn a_set_that_is_shared_over_fork_is_in_both_records() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let (record, _) = recorded(dir.path(), "observed_fork.py", &[]);
    let events = events(&record);
    let counts: Vec<usize> = waits(&events).into_values().collect();
    assert_eq!(counts.iter().copied().collect::<BTreeSet<usize>>(), [5, 11].into(), "{counts:?}");
    let create = of_kind(&events, "create");
    let inherited: Vec<&&Value> = create.iter().filter(|event| event["inherited"] == true).collect();
    assert_eq!((create.len(), inherited.len()), (2, 1), "{create:?}");
    let found = finding(&record, 8);
    assert_eq!((&found["severity"], &found["pid"]), (&"error".into(), &inherited[0]["pid"]), "{found:#}");
    let evidence = found["evidence"].to_string();
    assert!(evidence.contains("both have one set") && !evidence.contains("a copy"), "{found:#}");
}

#[test]
fn a_set_that_is_kept_over_exec_is_observed_on() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let (record, _) = recorded(dir.path(), "observed_exec.py", &[]);
    let events = events(&record);
    assert_eq!(waits(&events).into_values().collect::<Vec<usize>>(), [6]);
    let fds: BTreeSet<i64> =
        of_kind(&events, "deliver").iter().filter_map(|event| event["fd"].as_i64()).collect();
    assert_eq!((of_kind(&events, "deliver").len(), fds.len()), (6, 1), "{fds:?}");
}

#[test]
fn a_file_that_a_child_holds_is_said_to_live_on_and_its_events_are_found() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let (record, _) = recorded(dir.path(), "observed_closed.py", &[]);
    let path = record.to_str().expect("a path in UTF-8");
    let events = events(&record);
    let add = of_kind(&events, "ctl")[0];
    let released = released(&events);
    assert_eq!((&released["fd"], &released["shared"]), (&add["fd"], &true.into()), "{released}");
    let delivered = of_kind(&events, "deliver");
    assert_eq!(delivered.len(), 200);
    for event in delivered {
        assert_eq!((&event["fd"], &event["item"]), (&add["fd"], &add["item"]), "{event}");
    }
    let dump = glasspoll_with(&["dump", path]).success();
    let line = dump.lines().find(|line| line.contains(" shared=yes")).expect("a release");
    assert!(line.ends_with("may live on in another process)"), "{line}");
    let text = dir.path().join("report.txt");
    run(glasspoll().args(["report", path, "-o"]).arg(&text), LIMIT).success();
    assert!(fs::read_to_string(&text).expect("it was made").contains("may live on in another process"));
    let found = finding(&record, 1);
    assert_eq!((&found["severity"], &found["count"]), (&"error".into(), &200.into()), "{found:#}");
    assert!(found["title"].to_string().contains("lives on in another process"), "{found:#}");
}
