//! If glasspoll cannot understand a setting, it names it in one line of standard error, and the program runs on.

use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, Mode};

const SCRIPT: &str = include_str!("../programs/epoll_once.py");

/// Runs a program that uses epoll, with `name` set to `value`. The complaint must contain `allowed`, a part of the
/// allowed values.
fn check_complaint(name: &str, value: &str, allowed: &str) {
    check_line(&[(name, value)], &[name, value, allowed]);
}

/// Runs a program that uses epoll with these settings. There must be one complaint, with these `parts`.
fn check_line(settings: &[(&str, &str)], parts: &[&str]) {
    if !program::have(&["python3"]) {
        return;
    }
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", SCRIPT]).envs(settings.iter().copied());
    let output = run(&mut command, LIMIT);
    assert_eq!(output.stdout, "ready\n", "{output:?}");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    let line = output.stderr.trim_end();
    for part in parts {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
}

#[test]
fn the_kernel_runs_the_script_without_a_word() {
    if !program::have(&["python3"]) {
        return;
    }
    let mut command = Mode::Native.command(program::path("python3"));
    let output = run(command.args(["-c", SCRIPT]), LIMIT);
    assert_eq!(output.stderr, "");
    assert_eq!(output.success(), "ready\n");
}

#[test]
fn good_settings_need_no_word() {
    if !program::have(&["python3"]) {
        return;
    }
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", SCRIPT]);
    command.env("GLASSPOLL_LOG", "off");
    command.env("GLASSPOLL_LOG_FORMAT", "text");
    let output = run(&mut command, LIMIT);
    assert_eq!(output.stderr, "");
    assert_eq!(output.success(), "ready\n");
}

#[test]
fn an_unknown_word_for_stacks_is_named() {
    check_complaint("GLASSPOLL_STACKS", "yes", "'on' or 'off'");
}

#[test]
fn an_unknown_log_format_is_named() {
    check_complaint("GLASSPOLL_LOG_FORMAT", "xml", "json");
}

#[test]
fn an_unknown_log_level_is_named() {
    check_complaint("GLASSPOLL_LOG", "glasspoll=banana", "trace");
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    check_complaint("GLASSPOLL_LOG_FILE", "/nonexistent/x", "path");
}

#[test]
fn an_unknown_device_is_named() {
    check_complaint("GLASSPOLL_DEVICE", "foo", "poll");
}

#[test]
fn an_unknown_bound_of_hot_items_is_named() {
    check_complaint("GLASSPOLL_HOT", "many", "auto");
}

#[test]
fn an_unknown_length_of_spinning_is_named() {
    check_complaint("GLASSPOLL_SPIN", "1s", "microseconds");
}

#[test]
fn an_unknown_size_of_the_record_is_named() {
    check_complaint("GLASSPOLL_RING", "huge", "4M");
    check_complaint("GLASSPOLL_RING", "1K", "16K");
    check_complaint("GLASSPOLL_RING", "64G", "1G");
}

#[test]
fn an_unknown_readiness_is_named() {
    check_complaint("GLASSPOLL_READY", "perhaps", "exact");
}

#[test]
fn an_unknown_engine_is_named() {
    check_complaint("GLASSPOLL_ENGINE", "kernel", "observe");
}

#[test]
fn chaos_of_the_kernels_epoll_is_refused() {
    let settings = [("GLASSPOLL_ENGINE", "observe"), ("GLASSPOLL_CHAOS", "all,seed=7")];
    check_line(&settings, &["there is no chaos", "GLASSPOLL_ENGINE=emulate"]);
}

#[test]
fn exact_times_of_the_kernels_epoll_are_refused() {
    let settings = [("GLASSPOLL_ENGINE", "observe"), ("GLASSPOLL_READY", "exact")];
    check_line(&settings, &["GLASSPOLL_READY=exact", "GLASSPOLL_ENGINE=emulate", "a wait slept"]);
}

#[test]
fn settings_of_devices_need_no_word_where_the_kernels_epoll_answers() {
    if !program::have(&["python3"]) {
        return;
    }
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", SCRIPT]).env("GLASSPOLL_ENGINE", "observe");
    command.env("GLASSPOLL_HOT", "0").env("GLASSPOLL_SPIN", "auto").env("GLASSPOLL_DEVICE", "poll");
    let output = run(&mut command, LIMIT);
    assert_eq!(output.stderr, "");
    assert_eq!(output.success(), "ready\n");
}
