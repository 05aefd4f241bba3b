//! The demo of the README runs to its end, and shows what it promises. Once it waited forever, and no test noticed.

use glasspoll_tests::documents::root;
use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{command, program};
use std::os::unix::fs::symlink;

#[test]
fn the_demo_shows_redis_on_both_epolls() {
    if !program::have(&["redis-server", "redis-benchmark", "strace"]) {
        return;
    }
    // In one folder, where the script looks for them: then it builds nothing.
    let built = tempfile::tempdir().expect("a directory");
    let lib = built.path().join("libglasspoll.so");
    symlink(library(), &lib).expect("the test's own directory");
    symlink(command::path(), built.path().join("glasspoll")).expect("the test's own directory");
    let mut demo = clean_command(root().join("scripts/demo"));
    let shown = run(demo.arg("--quick").env("GLASSPOLL_LIB", lib), LIMIT).success();

    let parts = [
        "redis, 50 connections: requests a second",
        "epoll and io_uring system calls of redis, by strace",
        "one request, as glasspoll logs it (GLASSPOLL_LOG=trace)",
        "what its loop did under load, by glasspoll run -c",
        "the same as a page, to open in a browser: ",
    ];
    let ends = parts[1..].iter().map(|next| format!("\n{next}")).chain([String::new()]);
    let mut told = Vec::new();
    for (part, end) in parts.iter().zip(ends) {
        let (_, rest) = shown.split_once(part).unwrap_or_else(|| panic!("no {part:?} in {shown}"));
        told.push(if end.is_empty() { rest } else { rest.split_once(&end).map_or(rest, |(this, _)| this) });
    }
    let [rates, calls, request, summary, page] = told[..] else { panic!("{told:?}") };
    assert!(rates.contains("  median    kernel ") && rates.contains("ratio "), "{shown}");
    let calls: Vec<(&str, u64)> = calls
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter_map(|(epoll, count)| Some((epoll, count.trim().parse().ok()?)))
        .collect();
    let [("kernel", native), ("glasspoll", preloaded)] = calls[..] else { panic!("{shown}") };
    assert!(native > 0 && preloaded == 0, "{shown}");
    let stations = [" wakeup ", " wait_return "].map(|station| request.contains(station));
    assert_eq!(stations, [true, true], "{shown}");
    assert!(summary.contains("waits"), "{shown}");
    assert!(std::fs::metadata(page.trim()).expect("the page").len() > 1000, "{shown}");
}
