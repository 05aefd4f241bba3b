//! `glasspoll attach` refuses what it cannot do, in one line that says what to do; the process goes on as before.

use glasspoll_tests::attach::{check_refusal, Built, Target};
use glasspoll_tests::command::{glasspoll, install, is_root};
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::program;
use glasspoll_tests::run::{eventually, run, LIMIT};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn attach(built: &Built, pid: &str) -> glasspoll_tests::Output {
    let mut command = glasspoll();
    run(command.args(["attach", pid]).env("GLASSPOLL_LIB", built.path("libglasspoll.so")), LIMIT)
}

fn state(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("State:"));
    line.expect("a state").trim().to_owned()
}

fn signal(target: &Target, signal: i32) {
    // SAFETY: a process of ours.
    assert_eq!(unsafe { libc::kill(target.pid() as i32, signal) }, 0);
}

#[test]
fn what_is_no_process_of_a_program_is_named() {
    let Some(built) = Built::new() else { return };
    check_refusal(&attach(&built, "4194305"), "there is no such process");
    let kernel = fs::read_to_string("/proc/2/comm").is_ok_and(|comm| comm == "kthreadd\n");
    if kernel {
        check_refusal(&attach(&built, "2"), "it is a thread of the kernel");
    }
    let mut own = clean_command("/bin/sh");
    own.args(["-c", "exec \"$0\" attach $$"]).arg(glasspoll_tests::command::path());
    own.env("GLASSPOLL_LIB", built.path("libglasspoll.so"));
    check_refusal(&run(&mut own, LIMIT), "that is this command itself");
}

#[test]
fn a_thread_is_not_its_process() {
    let Some(built) = Built::new() else { return };
    // The second thread loads a library whose constructor never ends.
    // It waits as a lock does, so this thread is not asked.
    let slow = "#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
                __attribute__((constructor)) static void slow(void) {\n\
                int word = 0; setenv(\"LOADING\", \"1\", 1); for (;;) syscall(SYS_futex, &word, 0, 0, 0); }\n";
    fs::write(built.path("slow.c"), slow).expect("our folder");
    let mut gcc = clean_command(program::path("gcc"));
    gcc.args(["-shared", "-fPIC", "-o", "slow.so", "slow.c"]).current_dir(built.dir.path());
    run(&mut gcc, LIMIT).success();
    let slow = built.path("slow.so");
    let mut target = built.start(&["epoll_wait", slow.to_str().expect("a path in UTF-8")]);
    let threads = fs::read_dir(format!("/proc/{}/task", target.pid())).expect("it lives");
    let names = threads.flatten().map(|entry| entry.file_name().into_string().expect("a number"));
    let other = names.into_iter().find(|tid| *tid != target.pid().to_string()).expect("a second thread");
    check_refusal(&attach(&built, &other), &format!("attach to its process, {}", target.pid()));
    // The constructor runs under the loader's lock, so nothing can be loaded.
    built.refuses(&mut target, "has held the loader's lock for 2 s");
    target.serves();
}

#[test]
fn a_zombie_and_a_stopped_process_and_a_traced_one() {
    let Some(built) = Built::new() else { return };
    let mut zombie = Command::new("true").spawn().expect("true runs");
    eventually("it is a zombie", LIMIT, || state(zombie.id()).starts_with('Z'));
    check_refusal(&attach(&built, &zombie.id().to_string()), "it is a zombie");
    zombie.wait().expect("our child");

    let mut target = built.start(&["epoll_wait"]);
    signal(&target, libc::SIGSTOP);
    eventually("it is stopped", LIMIT, || state(target.pid()).starts_with('T'));
    check_refusal(&built.attach(&target), "it is stopped: continue it first");
    assert!(state(target.pid()).starts_with('T'));
    signal(&target, libc::SIGCONT);
    // A stop of a process ends its epoll_wait so.
    target.serves_but("returned -1, errno 4");

    let pid = target.pid() as i32;
    // SAFETY: two numbers; this thread traces the process until the second call.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) }, 0);
    check_refusal(&built.attach(&target), "it is traced already, by ");
    target.serves();
}

/// Traces a process for half a second, as a command like ours may do: argument 2 is `stands` if it is to stand.
const TRACER: &str = "
import ctypes, sys, time
libc = ctypes.CDLL(None)
libc.prctl(15, b'glasspoll', 0, 0, 0)
pid = int(sys.argv[1])
assert libc.ptrace(0x4206, pid, 0, 0) == 0
if sys.argv[2] == 'stands':
    assert libc.ptrace(0x4207, pid, 0, 0) == 0
print('traces', flush=True)
time.sleep(0.5)
";

#[test]
fn a_process_that_another_command_looks_at_is_attached_to_and_detached_from_afterwards() {
    let Some(built) = Built::new() else { return };
    if !program::have(&["python3"]) {
        return;
    }
    let mut target = built.start(&["epoll_wait"]);
    for how in ["runs", "stands"] {
        for visit in [Built::attach, Built::detach] {
            let mut tracer = Command::new(program::path("python3"));
            tracer.args(["-c", TRACER, &target.pid().to_string(), how]).stdout(Stdio::piped());
            let mut tracer = tracer.spawn().expect("the tracer");
            let mut line = String::new();
            let out = tracer.stdout.take().expect("a pipe");
            BufReader::new(out).read_line(&mut line).expect("a line");
            assert_eq!(line, "traces\n");
            let output = visit(&built, &target);
            tracer.wait().expect("it ends");
            output.success();
        }
    }
    // What another tracer does to its waits is not ours.
    target.serves_but("returned -1, errno 4");
}

#[test]
fn programs_that_have_no_glibc() {
    let Some(built) = Built::new() else { return };
    built.compile("gcc", "attach_target.c", "static", &["-static", "-pthread", "-w"]);
    let mut target = Target::start(&mut built.command("static", &["epoll_wait"]));
    built.refuses(&mut target, "it is linked statically");
    if !program::have(&["musl-gcc"]) {
        return;
    }
    let source = "#include <stdio.h>\n#include <unistd.h>\n\
                  int main(void) { char c; puts(\"here\"); fflush(stdout);\n\
                  while (read(0, &c, 1) == 1) { puts(\"ok \"); fflush(stdout); } return 0; }\n";
    fs::write(built.path("musl.c"), source).expect("our folder");
    let mut gcc = clean_command(program::path("musl-gcc"));
    run(gcc.args(["-o", "musl", "musl.c"]).current_dir(built.dir.path()), LIMIT).success();
    let mut target = Target::start(&mut built.command("musl", &[]));
    built.refuses(&mut target, "its libc is musl (/");
}

#[test]
fn a_process_with_two_libcs() {
    let Some(built) = Built::new() else { return };
    let mut target = built.start(&["epoll_wait", "second-libc"]);
    built.refuses(&mut target, "it has mapped several glibcs (LD_AUDIT, or dlmopen)");
}

#[test]
fn a_process_that_has_used_up_the_room_for_thread_locals_is_attached_to() {
    let Some(built) = Built::new() else { return };
    let sizes = [1024, 512, 512, 256, 256, 128, 64, 32, 16, 8, 8, 1024, 512, 256, 128, 64, 32, 16, 8, 8];
    let mut crowd = vec!["epoll_wait".to_owned()];
    for (number, size) in sizes.iter().enumerate() {
        let name = format!("crowd{number}.so");
        built.compile("gcc", "attach/crowd.c", &name, &["-shared", "-fPIC", &format!("-DSIZE={size}")]);
        crowd.push(format!("crowd={}", built.path(&name).display()));
    }
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let mut target = built.start(&crowd);
    // With the library itself.
    for what in ["attach", "detach"] {
        run(glasspoll().arg(what).arg(target.pid().to_string()), LIMIT).success();
        target.serves();
    }
}

#[test]
fn a_process_at_its_limit_of_descriptors_is_attached_to_all_the_same() {
    let Some(built) = Built::new() else { return };
    let mut target = built.start(&["epoll_wait"]);
    let pid = target.pid() as i32;
    let fds = |target: &Target| target.threads_and_mappings()[1];
    let before = fds(&target);
    let limit = libc::rlimit { rlim_cur: before as u64, rlim_max: 1 << 12 };
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid pointers.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &limit, &mut now) }, 0);
    for what in ["attach", "detach", "attach", "detach"] {
        run(glasspoll().arg(what).arg(pid.to_string()), LIMIT).success();
        target.serves();
        // SAFETY: as above.
        assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &mut now) }, 0);
        assert_eq!((now.rlim_cur, now.rlim_max), (limit.rlim_cur, limit.rlim_max));
    }
    assert_eq!(fds(&target), before);
}

#[test]
fn a_program_for_another_machine() {
    let Some(built) = Built::new() else { return };
    let source = ".globl _start\n_start: mov $29, %eax\nint $0x80\njmp _start\n";
    fs::write(built.path("other.s"), source).expect("our folder");
    let mut gcc = clean_command(program::path("gcc"));
    gcc.args(["-m32", "-nostdlib", "-static", "-o", "other", "other.s"]).current_dir(built.dir.path());
    let made = run(&mut gcc, LIMIT).status.success();
    let started = built.command("other", &[]).stdin(Stdio::null()).spawn();
    let Some(mut other) = started.ok().filter(|_| made) else {
        program::skip("no 32-bit program can be made or run here");
        return;
    };
    eventually("it waits", LIMIT, || state(other.id()).starts_with('S'));
    check_refusal(&attach(&built, &other.id().to_string()), "it is a program for i386");
    assert!(other.try_wait().expect("our child").is_none());
    other.kill().expect("our child");
    other.wait().expect("our child");
}

#[test]
fn an_older_glibc_than_the_library_needs() {
    let Some(built) = Built::new() else { return };
    let make = |arguments: &[&str]| {
        run(clean_command(program::path("gcc")).args(arguments).current_dir(built.dir.path()), LIMIT)
            .success();
    };
    fs::write(built.path("versions"), "GLIBC_2.99 { global: newer; local: *; };\n").expect("our folder");
    fs::write(built.path("newer.c"), "int newer(void) { return 0; }\n").expect("our folder");
    fs::write(built.path("needs.c"), "int newer(void);\nint glasspoll_attach(void) { return newer(); }\n")
        .expect("our folder");
    make(&[
        "-shared",
        "-fPIC",
        "-nostdlib",
        "-Wl,--version-script=versions",
        "-Wl,-soname=libc.so.6",
        "-o",
        "newer.so",
        "newer.c",
    ]);
    make(&["-shared", "-fPIC", "-nostdlib", "-o", "libglasspoll.so", "needs.c", "./newer.so"]);
    let mut target = built.start(&["epoll_wait"]);
    built.refuses(&mut target, "and the library needs 2.99 or later");
}

#[test]
fn a_seccomp_filter_is_asked_before_anything_is_tried() {
    let Some(built) = Built::new() else { return };
    let mut forbids = built.start(&["epoll_wait", "forbid-openat"]);
    let mut allows = built.start(&["epoll_wait", "filter"]);
    if is_root() {
        built.refuses(&mut forbids, "its seccomp filter forbids what loading the library needs (openat)");
        built.attach(&allows).success();
    } else {
        built.refuses(&mut forbids, "it has a seccomp filter, which only root may read");
        built.refuses(&mut allows, "say --force");
        run(&mut built.glasspoll(&["attach", "--force"], &allows), LIMIT).success();
    }
    allows.serves();
}

#[test]
fn a_process_that_only_computes_is_left_alone() {
    let Some(built) = Built::new() else { return };
    let mut computes = clean_command(program::path("python3"));
    computes.args(["-c", "print('here', flush=True)\nwhile True: pass"]);
    let computes = Target::start(&mut computes);
    check_refusal(&built.attach(&computes), "in 2 s its thread came to no system call");
    assert!(state(computes.pid()).starts_with('R'));
}

#[test]
fn the_processes_of_others_are_theirs() {
    let Some(built) = Built::new() else { return };
    if !is_root() {
        program::skip("only root can start a process of another user");
        return;
    }
    let installed = install();
    let mut target = built.start(&["epoll_wait"]);
    let attach = |target: &Target| {
        let mut command = installed.glasspoll();
        command.args(["attach", &target.pid().to_string()]).env_remove("GLASSPOLL_LIB");
        run(&mut command, LIMIT)
    };
    check_refusal(&attach(&target), "it is a process of the user 0: be that user, or root");
    target.serves();

    let file = installed.dir().join("target");
    run(Command::new("cp").arg(built.path("target")).arg(&file), LIMIT).success();
    let as_nobody = |arguments: &[&str]| {
        let mut command = clean_command(&file);
        command.args(arguments);
        Target::start(&mut glasspoll_tests::command::as_ordinary_user(command, installed.dir()))
    };
    let mut protected = as_nobody(&["epoll_wait", "nodump"]);
    check_refusal(&attach(&protected), "it protects itself");
    protected.serves();
    // An ordinary user may attach to his own process, unless Yama says otherwise.
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or("0".into());
    let mut own = as_nobody(&["epoll_wait"]);
    let output = attach(&own);
    if scope.trim() == "0" {
        assert!(!output.stderr.contains("be root"), "{output:?}");
    } else {
        check_refusal(&output, "kernel.yama.ptrace_scope is");
    }
    own.serves();
}

#[test]
fn commands_that_look_name_the_option() {
    let Some(built) = Built::new() else { return };
    let mut target = built.start(&["epoll_wait"]);
    let pid = target.pid().to_string();
    for (arguments, status) in [(&["doctor"][..], 125), (&["dump"], 1), (&["record", "-o", "record"], 1)] {
        let output = run(glasspoll().args(arguments).arg(&pid).current_dir(built.dir.path()), LIMIT);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(output.stderr.contains("look into it with --attach"), "{output:?}");
    }
    target.serves();
}
