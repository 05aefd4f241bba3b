//! The commands that the documents show: a test runs each of them, or the table says why none does.
//!
//! They are in blocks of `sh`, one command a line, and of `console`, each after a `$`. A new command needs a line here.

use glasspoll_tests::documents::{all, blocks, files, read, root};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How the tests treat a command.
enum Fate {
    /// This function of that file below `tests/tests` runs it, maybe with a program of its own.
    RunBy(&'static str, &'static str),
    /// No test runs it, for this reason.
    NotRun(&'static str),
}
use Fate::{NotRun, RunBy};

const COMMANDS: [(&str, Fate); 17] = [
    ("cargo build --release -p glasspoll", NotRun("it builds what scripts/test has built")),
    ("c-tests/run --preload a_timeout_of_0_returns_at_once", NotRun("the target c_tests runs all of them")),
    ("glasspoll doctor -- python3 chat_server.py", RunBy("stories.rs", "a_loop_spins")),
    (
        "LD_PRELOAD=target/release/libglasspoll.so nginx",
        RunBy("nginx_serves.rs", "one_nginx_worker_answers_every_request"),
    ),
    ("scripts/demo", RunBy("demo.rs", "the_demo_shows_redis_on_both_epolls")),
    ("scripts/test", NotRun("it installs packages, and runs this test among the others")),
    ("glasspoll doctor --attach 4711", RunBy("stories.rs", "the_same_is_found_in_programs_that_run_already")),
    (
        "python3 tests/tests/programs/story_spins.py 60 &",
        RunBy("stories.rs", "the_same_is_found_in_programs_that_run_already"),
    ),
    (
        "glasspoll doctor --attach $! --for 1s",
        RunBy("stories.rs", "the_same_is_found_in_programs_that_run_already"),
    ),
    ("cargo build --release -p glasspoll -p glasspoll-cli", NotRun("it builds what scripts/test has built")),
    ("scripts/install", RunBy("install.rs", "an_installation_works_for_all_users_and_goes_without_a_trace")),
    ("scripts/package", NotRun("it builds all anew, for minutes: scripts/package --try is for a release")),
    (
        "sudo apt-get install ./target/dist/glasspoll_0.2.0-1_amd64.deb",
        NotRun("it changes the machine: scripts/package --try does so in fresh ones"),
    ),
    (
        "glasspoll run --chaos all,seed=1 --chaos-until-fail 300 -- target/release/fragile undrained",
        RunBy("chaos_search.rs", "check_found"),
    ),
    (
        "glasspoll doctor -- node tests/tests/programs/story_slow.js",
        RunBy("stories.rs", "a_callback_is_slow"),
    ),
    (
        "glasspoll doctor -- python3 tests/tests/programs/story_never_removed.py 1.5",
        RunBy("stories.rs", "a_dup_is_never_removed"),
    ),
    (
        "glasspoll run --log glasspoll::flow=trace -- python3 docs/tour/first.py",
        RunBy("tour.rs", "each_trace_is_that_of_its_program"),
    ),
];

/// Each command that a document shows, with its document. Comments do not count.
fn shown() -> Vec<(String, PathBuf)> {
    let mut shown = Vec::new();
    for document in all() {
        let text = read(&document);
        for (of, lines) in blocks(&text) {
            let commands: Vec<&str> = match of {
                "sh" => lines.lines().collect(),
                "console" => lines.lines().filter_map(|line| line.strip_prefix("$ ")).collect(),
                _ => {
                    let is_command = |line: &str| line.starts_with("$ ") || line.starts_with("glasspoll ");
                    let hidden: Vec<&str> = lines.lines().filter(|line| is_command(line)).collect();
                    assert!(hidden.is_empty(), "{}: not in sh or console: {hidden:?}", document.display());
                    continue;
                }
            };
            let commands = commands.iter().map(|line| line.split("  #").next().unwrap_or_default().trim());
            shown.extend(
                commands.filter(|line| !line.is_empty()).map(|line| (line.to_owned(), document.clone())),
            );
        }
    }
    shown
}

#[test]
fn every_command_that_is_shown_is_run_by_a_test_or_says_why_not() {
    let shown = shown();
    for (command, document) in &shown {
        let is_listed = COMMANDS.iter().any(|(listed, _)| listed == command);
        assert!(is_listed, "{}: no test runs it, and no reason is told here: {command}", document.display());
    }
    let shown: BTreeSet<&str> = shown.iter().map(|(command, _)| command.as_str()).collect();
    for (command, fate) in &COMMANDS {
        assert!(shown.contains(command), "no document shows {command}");
        match fate {
            RunBy(file, function) => {
                let path = files("tests/tests", ".rs").into_iter().find(|path| path.ends_with(file));
                let test = read(path.unwrap_or_else(|| panic!("there is no {file}, for {command}")));
                assert!(test.contains(&format!("fn {function}(")), "{file} has no {function}, for {command}");
            }
            NotRun(reason) => assert!(!reason.is_empty(), "{command}"),
        }
    }
}

#[test]
fn what_a_command_that_is_shown_runs_exists() {
    for (command, document) in shown() {
        let paths = command
            .split(' ')
            .filter(|word| ["tests/", "scripts/", "docs/"].iter().any(|folder| word.starts_with(folder)));
        for path in paths {
            assert!(root().join(path).exists(), "{}: there is no {path}", document.display());
        }
    }
}
