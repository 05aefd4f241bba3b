//! The tour shows real traces of its programs. The programs do the same on either epoll, and both tours show the same
//! traces.

use glasspoll_tests::documents::{files, read, root};
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{program, Mode};
use std::fs;
use std::time::Instant;

/// A program with threads may need several attempts, until no thread is late in one.
const ATTEMPTS: usize = 5;

/// The blocks of code of a document: their languages and their lines.
fn blocks(document: &str) -> Vec<(String, Vec<String>)> {
    let inner = document.split("\n```").skip(1).step_by(2);
    let parts = inner.map(|block| block.split_once('\n').unwrap_or((block, "")));
    parts.map(|(of, lines)| (of.to_owned(), lines.lines().map(str::to_owned).collect())).collect()
}

/// A line without the parts that differ from run to run: comments, threads, and all numbers.
fn plain(line: &str) -> String {
    let line = line.split("  ").next().unwrap_or_default();
    let fields = line.split(' ').filter(|field| !field.starts_with("pid=") && !field.starts_with("tid="));
    let mut plain = String::new();
    for letter in fields.collect::<Vec<_>>().join(" ").chars() {
        match letter {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            _ => plain.push(letter),
        }
    }
    plain
}

/// What a program of the tour logs when preloaded, station by station. Its output must be that on the kernel's epoll.
fn log(script: &str) -> Vec<String> {
    let path = root().join("docs/tour").join(script);
    let native = run(Mode::Native.command(program::path("python3")).arg(&path), LIMIT).success();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("log");
    let begin = Instant::now();
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.arg(&path).env("GLASSPOLL_LOG", "glasspoll::flow=trace").env("GLASSPOLL_LOG_FILE", &file);
    assert_eq!(run(&mut command, LIMIT).success(), native, "{script}");
    let most = begin.elapsed().as_nanos();
    let text = fs::read_to_string(&file).expect("a log");
    let lines = text.lines().filter_map(|line| Some(line.split_once("glasspoll::flow: ")?.1.to_owned()));
    lines
        .inspect(|line| {
            let ready = line.split_once("ready_ns=").and_then(|(_, rest)| rest.split(' ').next());
            let ready: u128 = ready.map_or(0, |ready| ready.parse().expect("a number"));
            assert!(ready <= most, "{script}: ready for longer than the program ran: {line}");
        })
        .collect()
}

/// The first line of `shown` that does not come in `logged` after the lines before it.
fn missing<'a>(shown: &'a [String], logged: &[String]) -> Option<&'a String> {
    let mut logged = logged.iter().map(|line| plain(line));
    shown.iter().find(|line| !logged.any(|other| other == plain(line)))
}

#[test]
fn each_trace_is_that_of_its_program() {
    if !program::have(&["python3"]) {
        return;
    }
    let mut shown = 0;
    for (of, lines) in blocks(&read("docs/tour.md")) {
        let Some(script) = of.strip_prefix("trace ") else { continue };
        let fits = (0..ATTEMPTS).any(|attempt| {
            let logged = log(script);
            let missing = missing(&lines, &logged);
            assert!(
                attempt + 1 < ATTEMPTS || missing.is_none(),
                "{script}: {missing:?} of {lines:#?} in {logged:#?}"
            );
            missing.is_none()
        });
        assert!(fits, "{script}");
        shown += lines.len();
    }
    assert!(shown > 60, "{shown} lines");
    for script in files("docs/tour", ".py") {
        let name = script.file_name().expect("a name").to_string_lossy();
        assert!(
            read("docs/tour.md").contains(&format!("```trace {name}\n")),
            "the tour does not show {name}"
        );
    }
}

#[test]
fn the_chinese_tour_shows_the_same() {
    let uncommented = |document: &str| -> Vec<(String, Vec<String>)> {
        let bare = |line: &String| line.split("  ").next().unwrap_or_default().to_owned();
        let traces = blocks(document).into_iter().filter(|(of, _)| of.starts_with("trace "));
        traces.map(|(of, lines)| (of, lines.iter().map(bare).collect())).collect()
    };
    let [english, chinese] = ["docs/tour.md", "docs/tour.zh-CN.md"].map(|path| uncommented(&read(path)));
    assert_eq!(english, chinese);
    let headings = |path: &str| read(path).lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(headings("docs/tour.md"), headings("docs/tour.zh-CN.md"));
}
