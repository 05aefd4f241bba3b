//! `glasspoll report` on real records: the page in a browser, the timeline, the text; and on files that are not
//! records.

use glasspoll_tests::run::LIMIT;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use glasspoll_tests::command::{glasspoll, glasspoll_with};
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::{chromium, nginx, program, redis, synthetic, turn, Server};
use serde_json::Value;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A record of redis under load.
fn redis_record(dir: &Path) -> PathBuf {
    let record = dir.join("redis.rec");
    let port = free_port();
    let mut command = glasspoll();
    command.arg("run").arg("-o").arg(&record).arg("--").args(redis::arguments(dir, port));
    let mut server = Server::start(command, dir, port);
    let load = redis::benchmark(&server, &["-q", "-n", "20000", "-c", "20", "-t", "get,set"]);
    run(&mut { load }, LIMIT).success();
    server.stop();
    record
}

/// Makes a report in the folder of the record.
fn report(record: &Path, name: &str) -> PathBuf {
    let path = record.with_file_name(name);
    let output = glasspoll_with(&["report", text(record), "-o", text(&path)]);
    assert!(output.stderr.contains(&format!("wrote {}", path.display())), "{output:#?}");
    output.success();
    path
}

#[test]
fn the_page_of_redis_under_load_tells_of_it_in_a_browser() {
    if !program::have(&redis::PROGRAMS) || !program::have(&["chromium"]) {
        return;
    }
    let _turn = turn::take();
    let dir = tempfile::tempdir().expect("a directory");
    let record = redis_record(dir.path());
    let output = glasspoll_with(&["report", text(&record)]);
    let page = dir.path().join("redis.rec.html");
    assert!(output.stderr.contains("redis.rec.html"), "{output:#?}");
    output.success();
    assert_eq!(fs::metadata(&page).expect("the page").permissions().mode() & 0o777, 0o600);
    let shown = chromium::text(&chromium::dom(&page));
    for words in [
        "redis-server ",
        "events delivered",
        "ready to delivered, p50",
        "ended with status 0",
        "Timeline",
        "Serving, from return to the next wait",
        "Longest serving periods",
        "Interest",
    ] {
        assert!(shown.contains(words), "no {words:?} in\n{shown}");
    }
    // Findings come first, and the table has rows.
    let at = |word: &str| shown.find(word).unwrap_or_else(|| panic!("no {word:?} in\n{shown}"));
    assert!(at("\nFindings\n") < at("\nTimeline\n") && at("\nTimeline\n") < at("\nDescriptors\n"));
    assert!(shown.lines().filter(|line| *line == "IN").count() >= 20, "{shown}");
}

#[test]
fn the_timeline_of_redis_is_json_whose_arrows_pair() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    let dir = tempfile::tempdir().expect("a directory");
    let record = redis_record(dir.path());
    let trace = fs::read(report(&record, "redis.json")).expect("the timeline");
    let trace: Value = serde_json::from_slice(&trace).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let mut arrows: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        let ph = event["ph"].as_str().expect("a kind");
        match ph {
            "s" | "t" | "f" => arrows.entry(event["id"].as_u64().expect("an id")).or_default().push(ph),
            "X" => *names.entry(event["cat"].as_str().expect("a name")).or_default() += 1,
            _ => {}
        }
        assert!(event["pid"].as_u64().is_some_and(|pid| pid > 0), "{event}");
    }
    assert!(names["wait"] > 1000 && names["serve"] > 1000 && names["deliver"] > 20_000, "{names:?}");
    assert!(!arrows.is_empty());
    for (id, ends) in arrows {
        assert!(ends == ["s", "f"] || ends == ["s", "t", "f"], "{id}: {ends:?}");
    }
}

#[test]
fn the_text_of_redis_goes_to_a_file_and_to_stdout() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    let dir = tempfile::tempdir().expect("a directory");
    let record = redis_record(dir.path());
    let written = fs::read_to_string(report(&record, "redis.txt")).expect("the text");
    let output = glasspoll_with(&["report", text(&record), "-o", "-"]);
    assert_eq!(output.stderr, "");
    assert_eq!(output.success(), written);
    for words in
        ["FINDINGS\n", "SUMMARY\nredis-server ", "ready→delivered", "busiest", "ITEMS of redis-server"]
    {
        assert!(written.contains(words), "no {words:?} in\n{written}");
    }
}

#[test]
fn the_page_of_nginx_has_all_its_processes() {
    if !program::have(&nginx::PROGRAMS) || !program::have(&["chromium"]) {
        return;
    }
    let _turn = turn::take();
    let dir = tempfile::tempdir().expect("a directory");
    let (port, record) = (free_port(), dir.path().join("nginx.rec"));
    nginx::configure(dir.path(), port, 2);
    let mut command = glasspoll();
    command.arg("run").arg("-o").arg(&record).arg("--").args(nginx::arguments(dir.path()));
    let mut server = Server::start(command, dir.path(), port);
    let load = ["-t1", "-c8", "-d1s", &format!("http://127.0.0.1:{port}/")].map(str::to_owned);
    run(glasspoll_tests::mode::clean_command(program::path("wrk")).args(load), LIMIT).success();
    server.stop();
    let dom = chromium::dom(&report(&record, "nginx.html"));
    let processes = dom.matches("<option").count();
    assert!(processes >= 2, "{processes} processes");
    assert!(chromium::text(&dom).contains("nginx "));
}

#[test]
fn a_million_events_make_a_page_that_a_browser_opens() {
    let _turn = turn::take();
    let dir = tempfile::tempdir().expect("a directory");
    let record = dir.path().join("million.rec");
    synthetic::write(&record, 1_000_000).expect("a record");
    // The limits are far above what it takes: they only detect quadratic growth.
    let mut command = glasspoll();
    command.arg("report").arg(&record);
    run(&mut command, LIMIT).success();
    let page = dir.path().join("million.rec.html");
    let size = fs::metadata(&page).expect("the page").len();
    assert!((100_000..10_000_000).contains(&size), "{size} bytes");
    if program::have(&["chromium"]) {
        let shown = chromium::text(&chromium::dom(&page));
        assert!(shown.contains("server 4711") && shown.contains("utilisation of 2 loops"), "{shown}");
        assert!(shown.contains("tcp 127.0.0.1:80 ← 127.0.0.1:3"), "{shown}");
    }
}

#[test]
fn names_in_a_record_are_no_markup() {
    if !program::have(&["chromium"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let record = dir.path().join("evil.rec");
    let evil = "</script><img src=x onerror=\"document.title='taken'\"><b>bold</b>&amp;";
    synthetic::write_named(&record, 5_000, evil).expect("a record");
    let dom = chromium::dom(&report(&record, "evil.html"));
    assert!(chromium::text(&dom).contains(evil), "{dom}");
    assert!(!dom.contains("<img") && !dom.contains("<b>bold") && !dom.contains("<title>taken"), "{dom}");
}

#[test]
fn a_record_that_ends_in_the_middle_is_reported_up_to_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let (whole, cut) = (dir.path().join("whole.rec"), dir.path().join("cut.rec"));
    synthetic::write(&whole, 10_000).expect("a record");
    let bytes = fs::read(&whole).expect("the record");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("our own directory");
    let output = glasspoll_with(&["report", text(&cut), "-o", "-"]);
    assert!(output.stderr.contains("ends in the middle"), "{output:#?}");
    let shown = output.success();
    assert!(shown.contains("not whole") && shown.contains("server 4711"), "{shown}");
}

#[test]
fn what_is_no_record_or_cannot_be_written_is_said_in_one_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    synthetic::write(&path("good.rec"), 1_000).expect("a record");
    let mut foreign = fs::read(path("good.rec")).expect("the record");
    foreign[16] = 99;
    fs::write(path("foreign.rec"), &foreign).expect("our own directory");
    fs::write(path("text.rec"), "this is no record at all, but a text").expect("our own directory");
    fs::write(path("empty.rec"), "").expect("our own directory");
    foreign[16] = 1;
    fs::write(path("nobody.rec"), &foreign[..20]).expect("our own directory");
    let cases: [(&str, Option<&str>, &str); 9] = [
        ("missing.rec", None, "No such file"),
        ("foreign.rec", None, "version 99"),
        ("text.rec", None, "no record"),
        ("empty.rec", None, "too short"),
        ("nobody.rec", None, "no process"),
        ("good.rec", Some("out.pdf"), ".html"),
        ("good.rec", Some("no/such/folder/out.html"), "No such file"),
        ("good.rec", Some("good.rec"), ".html"),
        ("good.html", Some("good.html"), "record itself"),
    ];
    fs::copy(path("good.rec"), path("good.html")).expect("our own directory");
    for (record, output, expected) in cases {
        let mut command = glasspoll();
        command.arg("report").arg(path(record));
        if let Some(output) = output {
            command.arg("-o").arg(path(output));
        }
        let output = run(&mut command, LIMIT);
        assert_eq!(output.status.code(), Some(125), "{record}: {output:#?}");
        assert!(output.stderr.contains(expected), "{record}: {output:#?}");
        assert_eq!(output.stderr.lines().count(), 1, "{record}: {output:#?}");
    }
}
