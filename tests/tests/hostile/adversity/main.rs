//! An environment that is hostile all the time: no fd, memory or disk left, no reader, another process that uses up
//! what belongs to the user, a tracer, a CPU that other processes use. Programs get the same results as without.
#![cfg(target_arch = "x86_64")]

use glasspoll_tests::run::LIMIT;
mod machine;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use glasspoll_tests::command::{glasspoll, is_root};
use glasspoll_tests::faults::{self, Call, Fault};
use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::{run, wait, Output};
use glasspoll_tests::{in_both_modes, program, turn, Mode};

const FAULTS: &str = env!("CARGO_BIN_EXE_faults");
/// The scenarios that run into no limits by themselves.
const SCENARIOS: [&str; 7] = ["loop", "nested", "threads", "pollers", "fork", "exec", "signals"];

fn scenario(mode: Mode, name: &str) -> Command {
    let mut command = mode.command(FAULTS);
    command.args(["scenario", name]);
    command
}

fn is_fine(what: &str, output: &Output) {
    let done = output.stdout.lines().last() == Some("done");
    assert!(output.status.success() && done, "{what}: {output:#?}");
}

/// Sets a limit in the child.
fn limited(mut command: Command, resource: libc::__rlimit_resource_t, value: u64) -> Command {
    let set = move || {
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: a valid limit.
        match unsafe { libc::setrlimit(resource, &limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: one system call.
    unsafe { command.pre_exec(set) };
    command
}

#[test]
fn with_no_fd_left_sets_and_children_go_on() {
    in_both_modes(|mode| is_fine("full", &run(&mut scenario(mode, "full"), LIMIT)));
}

#[test]
fn with_no_memory_left_add_is_enomem_and_nothing_is_lost() {
    in_both_modes(|mode| {
        let output = run(&mut scenario(mode, "memory"), LIMIT);
        is_fine("memory", &output);
        assert_eq!(output.stderr, "");
    });
}

#[test]
fn as_many_descriptors_as_may_be_had_are_watched() {
    let _turn = turn::take();
    // The C test the_limit_on_watches_is_enospc lowers the limit for a while, which concerns the kernel's epoll in every
    // process. It holds this lock meanwhile.
    let limit = File::open("/proc/sys/fs/epoll/max_user_watches").expect("the limit");
    // SAFETY: plain numbers.
    assert_eq!(unsafe { libc::flock(limit.as_raw_fd(), libc::LOCK_SH) }, 0);
    in_both_modes(|mode| is_fine("many", &run(&mut scenario(mode, "many"), LIMIT)));
}

#[test]
fn ten_thousand_threads_wait_for_one_set() {
    let _turn = turn::take();
    in_both_modes(|mode| is_fine("herd", &run(&mut scenario(mode, "herd"), LIMIT)));
}

/// The output of a command that must end in time; it prints little.
fn finished(mut command: Command) -> process::Output {
    let mut child = command.spawn().expect("it runs");
    if wait(&mut child, LIMIT).is_none() {
        let _ = child.kill();
        panic!("still running: {command:?}");
    }
    child.wait_with_output().expect("our child")
}

/// The log goes to a pipe whose reader is gone: the program gets no SIGPIPE and no error.
#[test]
fn a_closed_pipe_under_the_log_kills_nobody() {
    for name in SCENARIOS {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command = scenario(Mode::Preloaded, name);
        command.env("GLASSPOLL_LOG", "trace").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(writer);
        let output = finished(command);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.ends_with("done\n"), "{name}: {output:?}");
    }
}

/// A complaint goes to such a pipe as well.
#[test]
fn a_closed_pipe_under_a_complaint_kills_nobody() {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut command = scenario(Mode::Preloaded, "loop");
    command.env("GLASSPOLL_HOT", "banana").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(writer);
    let output = finished(command);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_full_disk_under_the_log_is_not_felt() {
    for name in SCENARIOS {
        let mut command = scenario(Mode::Preloaded, name);
        let output = run(command.env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", "/dev/full"), LIMIT);
        is_fine(name, &output);
        assert_eq!(output.stderr, "");
    }
}

/// The program gets no SIGXFSZ, which would end it.
#[test]
fn a_limit_on_file_sizes_under_the_log_is_not_felt() {
    const SIZE: u64 = 2_000;
    let dir = tempfile::tempdir().expect("a directory");
    for name in SCENARIOS {
        let path = dir.path().join(name);
        let mut command = limited(scenario(Mode::Preloaded, name), libc::RLIMIT_FSIZE, SIZE);
        let output = run(command.env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", &path), LIMIT);
        is_fine(name, &output);
        assert_eq!(fs::metadata(&path).expect("a log").len(), SIZE, "{name}");
    }
}

#[test]
fn a_fifo_under_the_log_that_nobody_reads_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("fifo");
    run(Command::new("mkfifo").arg(&path), LIMIT).success();
    let logging = || {
        let mut command = scenario(Mode::Preloaded, "loop");
        command.env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", &path);
        command
    };
    let output = run(&mut logging(), LIMIT);
    is_fine("no reader", &output);
    assert!(output.stderr.contains("cannot be opened"), "{output:?}");
    // A reader that exists but reads nothing.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&path).expect("a FIFO");
    is_fine("a reader that does not read", &run(&mut logging(), LIMIT));
    drop(reader);
}

/// `glasspoll run` has no room to write: it says so, and the program is not affected.
#[test]
fn a_full_disk_under_a_recording_is_told_and_not_felt() {
    if !run(clean_command(program::path("unshare")).args(["-m", "true"]), LIMIT).status.success() {
        return program::skip("nobody may mount a small disk here");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let small = "mount -t tmpfs -o size=16k none \"$1\" && shift && exec \"$@\"";
    let command = glasspoll();
    let mut inside = clean_command(program::path("unshare"));
    inside.args(["-m", "sh", "-c", small, "sh"]).arg(dir.path()).arg(command.get_program());
    inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inside.args(["run", "-o"]).arg(dir.path().join("flow")).args(["--", FAULTS, "scenario", "loop"]);
    let output = run(&mut inside, LIMIT);
    assert!(output.stdout.contains("done"), "{output:#?}");
    assert!(output.stderr.contains("No space left"), "{output:#?}");
}

/// Without the helper thread times are not exact, and the record does not claim that they are.
#[test]
fn no_thread_no_exact_times() {
    let dir = tempfile::tempdir().expect("a directory");
    let exactness = |fault: Fault| {
        let (flow, page) = (dir.path().join("flow"), dir.path().join("page.html"));
        let mut command = glasspoll();
        command.args(["run", "--exact", "-o"]).arg(&flow).args(["--", FAULTS, "scenario", "loop"]);
        let ran = faults::run(command, fault, LIMIT);
        assert!(ran.status.success() && ran.stdout == "done\n", "{ran:#?}");
        run(glasspoll().arg("report").arg(&flow).arg("-o").arg(&page), LIMIT).success();
        let page = fs::read_to_string(&page).expect("a page");
        (page.contains("\"exact\":true"), page.contains("\"exact\":false"), ran.stderr)
    };
    assert_eq!(exactness(Fault::None), (true, false, String::new()));
    let (exact, bounds, said) = exactness(Fault::From(0, Call::through_libc(libc::SYS_clone3), libc::EAGAIN));
    assert!(!exact && bounds && said.contains("no helper thread"), "{said}");
}

/// Another process of the same user, which has queued as many signals as the limit allows.
struct Hoarder(Child);

impl Hoarder {
    fn begin(limit: u64) -> Self {
        let script = "import os, signal, time\n\
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN + 1])\n\
            import ctypes\n\
            libc = ctypes.CDLL(None)\n\
            while libc.sigqueue(os.getpid(), signal.SIGRTMIN + 1, None) == 0: pass\n\
            print('full', flush=True)\n\
            time.sleep(600)\n";
        let mut command = clean_command(program::path("python3"));
        command.args(["-c", script]).stdout(Stdio::piped());
        let mut child = limited(command, libc::RLIMIT_SIGPENDING, limit).spawn().expect("python runs");
        let mut line = String::new();
        let mut output = io::BufReader::new(child.stdout.take().expect("piped"));
        io::BufRead::read_line(&mut output, &mut line).expect("a line");
        assert_eq!(line, "full\n");
        Self(child)
    }
}

impl Drop for Hoarder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_queue_that_another_process_uses_up_loses_nothing() {
    if !program::have(&["python3"]) {
        return;
    }
    // What this user's other processes have queued counts as well; the limit is so low that it does not affect them.
    const QUEUE: u64 = 40;
    let _hoarder = Hoarder::begin(QUEUE);
    for name in ["loop", "nested", "threads", "pollers", "fork", "exec"] {
        let mut command = limited(scenario(Mode::Preloaded, name), libc::RLIMIT_SIGPENDING, QUEUE);
        let output = run(&mut command, LIMIT);
        is_fine(name, &output);
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn a_signal_queue_of_no_length_loses_nothing() {
    for name in ["loop", "nested", "threads", "pollers", "fork", "exec"] {
        let mut command = limited(scenario(Mode::Preloaded, name), libc::RLIMIT_SIGPENDING, 0);
        let output = run(&mut command, LIMIT);
        is_fine(name, &output);
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn a_tracer_is_not_felt() {
    if !program::have(&["strace"]) {
        return;
    }
    for name in SCENARIOS {
        let mut command = clean_command(program::path("strace"));
        let preload = format!("LD_PRELOAD={}", library().display());
        command.args(["-f", "-o", "/dev/null", "-E", &preload, FAULTS, "scenario", name]);
        let output = run(&mut command, LIMIT);
        is_fine(name, &output);
    }
}

/// The program is stopped and continued all the time, as by a debugger or a shell.
#[test]
fn stops_are_not_felt() {
    for name in SCENARIOS {
        let mut command = scenario(Mode::Preloaded, name);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("it runs");
        let pid = child.id() as i32;
        let mut stops = 0;
        while child.try_wait().expect("our child").is_none() {
            for signal in [libc::SIGSTOP, libc::SIGCONT] {
                // SAFETY: two numbers; the group is our child's own.
                unsafe { libc::kill(-pid, signal) };
                thread::sleep(Duration::from_micros(700));
            }
            stops += 1;
            assert!(stops < 20_000, "{name} does not end");
        }
        let output = child.wait_with_output().expect("our child");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.ends_with("done\n"), "{name}: {output:?}");
    }
}

/// A program that gains privileges: the library reads no setting, writes no log, makes no descriptor.
#[test]
fn a_privileged_program_is_left_alone() {
    if !is_root() {
        return program::skip("only root can make a program privileged");
    }
    // The loader of a privileged program ignores a preloaded library, unless that is itself privileged and in a system
    // folder. So here the program itself names the library, which a user cannot bring about.
    let dir = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let (source, binary, log) = ("main.c", dir.path().join("privileged"), dir.path().join("log"));
    fs::write(
        dir.path().join(source),
        "#include <dlfcn.h>\n#include <stdio.h>\n#include <sys/auxv.h>\n#include <sys/epoll.h>\n#include <unistd.h>\n\
         int main(void) { char link[64] = {0}, path[32]; int ep = epoll_create1(0);\n\
         snprintf(path, sizeof path, \"/proc/self/fd/%d\", ep);\n\
         if (readlink(path, link, sizeof link - 1) < 0) return 1;\n\
         printf(\"%ld %d %s\\n\", getauxval(AT_SECURE), dlsym(RTLD_DEFAULT, \"glasspoll_thread\") != 0, link);\n\
         return 0; }\n",
    )
    .expect("our own directory");
    let library = dir.path().join("libglasspoll.so");
    run(Command::new("cp").arg(glasspoll_tests::mode::library()).arg(&library), LIMIT).success();
    let mut gcc = clean_command(program::path("gcc"));
    gcc.current_dir(dir.path()).args([source, "-Wl,--no-as-needed", "-o"]).arg(&binary).arg(&library);
    run(&mut gcc, LIMIT).success();
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()), LIMIT).success();
    let as_nobody = || {
        let mut command = clean_command(&binary);
        command.uid(65_534).gid(65_534).env("GLASSPOLL_LOG", "trace").env("GLASSPOLL_LOG_FILE", &log);
        command.env("GLASSPOLL_HOT", "banana");
        run(&mut command, LIMIT)
    };
    let plain = as_nobody();
    assert!(plain.stdout.starts_with("0 ") && plain.stdout.contains("[eventfd]"), "{plain:?}");
    assert!(plain.stderr.contains("banana"), "{plain:?}");
    let _ = fs::remove_file(&log);
    run(Command::new("chmod").arg("u+s").arg(&binary), LIMIT).success();
    let privileged = as_nobody();
    assert!(
        privileged.stdout.starts_with("1 ") && privileged.stdout.contains("[eventpoll]"),
        "{privileged:?}"
    );
    assert_eq!(privileged.stderr, "");
    assert!(!log.exists(), "a log was written");
}
