//! `glasspoll attach` and `detach`: a process that was started without the library gets it while it runs, and does what
//! it did. The library is a small one in its place, so that these tests are about the command.

use glasspoll_tests::attach::{check_refusal, Built, Target};
use glasspoll_tests::command::{glasspoll, is_root};
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::program;
use glasspoll_tests::run::{run, LIMIT};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const KINDS: [&str; 10] = [
    "epoll_wait",
    "epoll_pwait",
    "poll",
    "ppoll",
    "select",
    "nanosleep",
    "clock_nanosleep",
    "read",
    "condition",
    "spin",
];

#[test]
fn a_program_in_any_wait_is_attached_to_and_sees_nothing() {
    let Some(built) = Built::new() else { return };
    for kind in KINDS {
        let mut target = built.start(&[kind]);
        let pid = target.pid();
        for _ in 0..3 {
            let stdout = built.attach(&target).success();
            assert_eq!(stdout, format!("target {pid}: attached: 7 slots lead to the library\n"), "{kind}");
            target.serves();
            assert!(built.attach(&target).success().contains("was attached already"), "{kind}");
            target.serves();
            let stdout = built.detach(&target).success();
            assert_eq!(stdout, format!("target {pid}: detached: 7 slots are as before\n"), "{kind}");
            target.serves();
        }
        check_refusal(&built.detach(&target), "nothing is attached to it");
        target.serves();
    }
}

#[test]
fn a_wait_goes_on_with_what_is_left_of_its_timeout() {
    let Some(built) = Built::new() else { return };
    if !Path::new("/proc/self/sched").exists() {
        program::skip("this kernel does not tell how long a thread has slept");
        return;
    }
    let mut target = built.start(&["long_epoll_wait"]);
    assert_eq!(target.line(), "took 3 s\n");
    // Two seconds of three have passed when it is interrupted.
    for visit in [Built::attach, Built::detach] {
        std::thread::sleep(Duration::from_secs(2));
        visit(&built, &target).success();
        assert_eq!(target.line(), "took 3 s\n");
    }
}

#[test]
fn threads_that_are_cancelled_meanwhile_end_as_cancelled_threads_do() {
    let Some(built) = Built::new() else { return };
    built.compile("gcc", "attach_cancelled.c", "cancelled", &["-pthread"]);
    for kind in ["epoll_wait", "poll", "raw"] {
        let mut target = Target::start(&mut built.command("cancelled", &[kind]));
        let real =
            |what: &str, target: &Target| run(glasspoll().arg(what).arg(target.pid().to_string()), LIMIT);
        let mut attached = 0;
        for _ in 0..70 {
            // While its only other thread computes there may be no thread to ask.
            attached += usize::from(real("attach", &target).status.success());
            let detached = real("detach", &target);
            assert!(!detached.stderr.contains("caught signal"), "{kind}: {detached:?}");
            target.serves();
        }
        assert!(attached > 35, "{kind}: {attached}");
    }
}

#[test]
fn cycles_leave_no_more_behind_than_the_first() {
    let Some(built) = Built::new() else { return };
    let mut target = built.start(&["epoll_wait"]);
    let cycle = || {
        built.attach(&target).success();
        built.detach(&target).success();
        target.threads_and_mappings()
    };
    let first = cycle();
    for _ in 0..20 {
        assert_eq!(cycle(), first);
    }
    target.serves();
}

#[test]
fn signals_come_to_their_handlers_while_the_program_is_attached_to() {
    let Some(built) = Built::new() else { return };
    for kind in ["epoll_wait", "poll", "nanosleep", "condition"] {
        let mut target = built.start(&[kind, "timer"]);
        for _ in 0..20 {
            built.attach(&target).success();
            target.serves();
            built.detach(&target).success();
            target.serves();
        }
    }
}

#[test]
fn a_command_that_is_killed_at_any_step_leaves_a_program_that_lives_and_serves() {
    let Some(built) = Built::new() else { return };
    for kind in ["epoll_wait", "poll", "nanosleep", "read", "spin"] {
        for what in ["attach", "detach"] {
            let mut step = 0;
            loop {
                step += 1;
                // Each time anew: the first attach does more than the others.
                let mut target = built.start(&[kind]);
                if what == "detach" {
                    built.attach(&target).success();
                }
                let mut command = built.glasspoll(&[what], &target);
                let output = run(command.env("GLASSPOLL_ATTACH_DIE_AT", step.to_string()), LIMIT);
                // The kernel ends an interrupted epoll_wait so, and nobody is left to put that right.
                target.serves_but("returned -1, errno 4");
                // The next command finds it as it is, and cleans up.
                if output.status.signal() != Some(libc::SIGKILL) {
                    assert!(step > 5 && output.status.success(), "{kind}, {step}: {output:?}");
                    break;
                }
                let attached = built.attach(&target).success();
                assert!(attached.contains("attached"), "{kind}, {what}, {step}: {attached}");
                target.serves();
                built.detach(&target).success();
                target.serves();
            }
        }
    }
}

#[test]
fn a_library_that_crashes_does_not_take_the_program_with_it() {
    let Some(built) = Built::new() else { return };
    let mut target = Target::start(built.command("target", &["epoll_wait"]).env("CRASH", "yes"));
    for _ in 0..2 {
        built.refuses(&mut target, "caught signal 11 in it");
    }
}

#[test]
fn a_library_that_takes_its_time_is_waited_for_for_two_seconds() {
    let Some(built) = Built::new() else { return };
    let mut target = Target::start(built.command("target", &["poll"]).env("SLOW", "yes"));
    check_refusal(&built.attach(&target), "has not come back in 2 s, and goes on loading by itself");
    // The thread that loads is the only one: it answers when it is through, and is attached to.
    target.serves();
    assert!(built.attach(&target).success().contains("was attached already"));
    built.detach(&target).success();
    target.serves();
}

#[test]
fn words_for_the_library_reach_it() {
    let Some(built) = Built::new() else { return };
    let target = Target::start(built.command("target", &["epoll_wait"]).env("SAY_TO", "1"));
    run(built.glasspoll(&["attach", "--ring", "4M"], &target).arg("--verbose"), LIMIT).success();
    let mut target = target;
    assert_eq!(target.line(), "attach ring=4M\n");
    built.detach(&target).success();
    assert_eq!(target.line(), "detach\n");
    target.serves();
}

#[test]
fn a_process_that_does_not_see_the_library_is_handed_it() {
    let Some(built) = Built::new() else { return };
    if !is_root() {
        program::skip("only root may hide a folder from a process");
        return;
    }
    // A program that all may run. Another user may not enter the library's folder; in a namespace of its own that folder
    // has other files.
    let file = tempfile::Builder::new().tempfile().expect("a file").into_temp_path();
    fs::remove_file(&file).expect("our file");
    run(Command::new("cp").arg(built.path("target")).arg(&file), LIMIT).success();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("our file");
    fs::set_permissions(built.dir.path(), fs::Permissions::from_mode(0o700)).expect("our folder");
    let mut other_user = clean_command(&file);
    other_user.arg("epoll_wait").uid(65_534).gid(65_534);
    let mut hidden = clean_command(program::path("unshare"));
    let folder = built.dir.path().display();
    let script = format!("mount -t tmpfs none {folder} && exec {} epoll_wait", file.display());
    hidden.args(["-m", "sh", "-c", &script]);
    for mut command in [other_user, hidden] {
        let mut step = 0;
        loop {
            step += 1;
            let mut target = Target::start(&mut command);
            let mut attach = built.glasspoll(&["attach"], &target);
            let output = run(attach.env("GLASSPOLL_ATTACH_DIE_AT", step.to_string()), LIMIT);
            target.serves_but("returned -1, errno 4");
            if output.status.signal() != Some(libc::SIGKILL) {
                assert!(step > 20 && output.status.success(), "{step}: {output:?}");
                break;
            }
            built.attach(&target).success();
            target.serves();
            let fds = fs::read_dir(format!("/proc/{}/fd", target.pid())).expect("it lives");
            let links = fds.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
            let left: Vec<_> = links.filter(|link| link.to_string_lossy().contains("memfd")).collect();
            assert!(left.is_empty() || step > 20, "{step}: {left:?}");
        }
        let mut target = Target::start(&mut command);
        let mut seen = Vec::new();
        for _ in 0..3 {
            assert!(built.attach(&target).success().contains("attached: 7 slots"), "{command:?}");
            target.serves();
            built.detach(&target).success();
            target.serves();
            seen.push(target.threads_and_mappings());
        }
        assert!(seen.iter().all(|counts| *counts == seen[0]), "{seen:?}");
        let maps = fs::read_to_string(format!("/proc/{}/maps", target.pid())).expect("it lives");
        assert!(maps.contains("/memfd:libglasspoll.so"), "{maps}");
    }
}
