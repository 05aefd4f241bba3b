//! `glasspoll run --chaos-until-fail`, which finds what makes a program fail: programs with a bug, and their mended
//! twins, which never fail.

use glasspoll_tests::command::{events, glasspoll, of_kind};
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::Output;
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

/// A bug is found within 300 seeds, few injections are left, at least one of them of the bug's kinds, and the printed
/// command makes the program fail again.
fn check_found(bug: &str, kinds: &[&str]) {
    // A run that hangs is killed after a while. For the other bugs the limit is so long that no run counts as a hang,
    // however busy the machine is.
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

#[test]
fn what_a_run_leaves_behind_is_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let pids = dir.path().join("pids");
    // A server that keeps a port would make the next run fail.
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

/// A test that fails only once: the run in which it failed is kept, and the command does not claim that it fails again.
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
    // Between two runs no process holds the signal back.
    assert!(status.code() == Some(130) || status.signal() == Some(libc::SIGTERM), "{status}");
    let wanted = format!("FRAGILE_MARK={mark}");
    let left = fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| {
        let environ = fs::read(Path::new(&entry.path()).join("environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    });
    assert_eq!(left.count(), 0);
}
