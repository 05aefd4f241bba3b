//! `glasspoll doctor --self` tells what is here, in a sandbox and as an ordinary user too.

use glasspoll_tests::command::{glasspoll, install, is_root};
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{program, seccomp, Output};
use serde_json::Value;
use std::process::Command;

const SCRIPT: &str = include_str!("../programs/epoll_once.py");
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// The facts of a command, and how it ended.
fn told(command: &mut Command) -> (Value, Output) {
    let output = run(command.args(["doctor", "--self", "--json"]), LIMIT);
    let all = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (all, output)
}

/// What it says of `name`: its standing, what is here, what follows.
fn fact<'a>(all: &'a Value, name: &str) -> [&'a str; 3] {
    let facts = all["facts"].as_array().expect("facts");
    let fact =
        facts.iter().find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:#}"));
    ["standing", "here", "effect"].map(|key| fact[key].as_str().expect("a text"))
}

#[test]
fn what_works_here_is_told_on_one_screen() {
    let (all, output) = told(&mut glasspoll());
    assert_eq!(
        (all["works"] == true, output.status.code(), &*output.stderr),
        (true, Some(0), ""),
        "{output:?}"
    );
    for name in
        ["library", "own epoll", "observing", "record", "signalfd", "signals of files", "sealed memfd"]
    {
        assert_eq!(fact(&all, name)[0], "ok", "{all:#}");
    }
    let text = run(glasspoll().args(["doctor", "--self"]), LIMIT).success();
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.ends_with("Programs can be run on glasspoll here.\n"), "{text}");
    for fact in all["facts"].as_array().expect("facts") {
        assert!(text.contains(fact["name"].as_str().expect("a name")), "{text}");
    }
}

#[test]
fn an_ordinary_user_is_told_what_is_his() {
    if !is_root() {
        return;
    }
    let installed = install();
    let (all, output) = told(&mut installed.glasspoll());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fact(&all, "own epoll")[0], "ok", "{all:#}");
    assert_eq!(fact(&all, "record")[0], "ok", "{all:#}");
    assert!(fact(&all, "/proc").concat().contains("65534") || fact(&all, "/proc")[0] == "less", "{all:#}");
    // A folder that nobody may write to is no obstacle as long as /tmp is there.
    let (all, _) =
        told(installed.glasspoll().env("XDG_RUNTIME_DIR", "/nonexistent").env("TMPDIR", "/nonexistent"));
    assert_eq!(fact(&all, "folder")[..2], ["ok", "/tmp"], "{all:#}");
}

#[test]
fn a_sandbox_is_told_call_by_call() {
    let mut command = glasspoll();
    let refused = [
        (libc::SYS_signalfd4, seccomp::refusal(libc::EPERM)),
        (libc::SYS_kcmp, seccomp::refusal(libc::ENOSYS)),
        (libc::SYS_pidfd_getfd, KILL),
        (libc::SYS_ptrace, KILL),
    ];
    seccomp::confine(&mut command, &refused, ALLOW);
    let (all, output) = told(&mut command);
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), ""), "{output:?}");
    assert_eq!(fact(&all, "signalfd")[..2], ["less", "refused: Operation not permitted"], "{all:#}");
    assert!(fact(&all, "signalfd")[2].contains("polled"), "{all:#}");
    assert!(fact(&all, "kcmp")[1].starts_with("refused: Function not implemented"), "{all:#}");
    assert_eq!(fact(&all, "pidfd_getfd")[..2], ["less", "killed for it"], "{all:#}");
    assert_eq!(fact(&all, "ptrace")[0], "less", "{all:#}");
    // The library says in one line that it polls, and that line is passed on.
    let [standing, _, said] = fact(&all, "own epoll");
    assert!(standing == "less" && said.contains("files are polled"), "{all:#}");
    let [standing, here, effect] = fact(&all, "seccomp");
    assert_eq!((standing, here), ("less", "a filter"), "{all:#}");
    assert!(effect.starts_with("refused: kcmp, signalfd4, pidfd_getfd, ptrace "), "{all:#}");
}

#[test]
fn where_epoll_is_forbidden_programs_run_and_are_not_observed() {
    for action in [KILL, seccomp::refusal(libc::EPERM)] {
        let calls = [libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait];
        let mut command = glasspoll();
        seccomp::confine(&mut command, &calls.map(|call| (call, action)), ALLOW);
        let (all, output) = told(&mut command);
        assert!(output.status.success() && all["works"] == true, "{output:?}");
        assert_eq!(fact(&all, "own epoll")[0], "ok", "{all:#}");
        assert_eq!(fact(&all, "observing")[0], "less", "{all:#}");
        let [standing, _, effect] = fact(&all, "epoll");
        assert!(standing == "less" && effect.contains("--emulate"), "{all:#}");
    }
}

#[test]
fn without_a_library_nothing_works_and_one_line_says_how_to_get_it() {
    let (all, output) = told(glasspoll().env("GLASSPOLL_LIB", "/nonexistent/libglasspoll.so"));
    assert_eq!((all["works"] == false, output.status.code()), (true, Some(1)), "{output:?}");
    assert_eq!(fact(&all, "library")[..2], ["no", "not found"], "{all:#}");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let damaged = dir.path().join("libglasspoll.so");
    std::fs::write(&damaged, "no library").expect("our own directory");
    let (all, output) = told(glasspoll().env("GLASSPOLL_LIB", damaged));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fact(&all, "library")[..2], ["no", "does not load"], "{all:#}");
}

/// What Docker's default profile refuses on x86-64 to a process without capabilities, as far as a kernel has it. Since
/// Docker 25 it refuses io_uring too.
#[cfg(target_arch = "x86_64")]
const REFUSED_BY_DOCKER: [libc::c_long; 54] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_get_mempolicy,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_sysfs,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_ustat,
    libc::SYS_vhangup,
];

/// Puts a command into what Docker's default profile is to a container. What came after `futex_waitv` is refused too;
/// clone3 does not exist, so that libc takes clone.
#[cfg(target_arch = "x86_64")]
fn in_docker(command: &mut Command) {
    let newer = libc::SYS_futex_waitv + 1..600;
    let refused =
        REFUSED_BY_DOCKER.into_iter().chain(newer).map(|call| (call, seccomp::refusal(libc::EPERM)));
    let clone = (libc::SYS_clone3, seccomp::refusal(libc::ENOSYS));
    seccomp::confine(command, &refused.chain([clone]).collect::<Vec<_>>(), ALLOW);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn dockers_default_profile_refuses_little_that_is_used() {
    let installed = install();
    let mut command = installed.glasspoll();
    in_docker(&mut command);
    let (all, output) = told(&mut command);
    assert!(output.status.success() && all["works"] == true, "{output:?}");
    for name in ["own epoll", "observing", "record", "signalfd", "signals of files", "threads", "ptrace"] {
        assert_eq!(fact(&all, name)[0], "ok", "{name}: {all:#}");
    }
    assert_eq!(fact(&all, "pidfd_getfd")[0], "less", "{all:#}");
    assert!(fact(&all, "seccomp")[2].starts_with("refused: kcmp, pidfd_getfd "), "{all:#}");
    if !program::have(&["python3"]) {
        return;
    }
    for engine in ["--emulate", "--observe"] {
        let mut command = installed.glasspoll();
        in_docker(&mut command);
        command.args(["run", engine, "-c", "--"]).arg(program::path("python3")).args(["-c", SCRIPT]);
        let output = run(&mut command, LIMIT);
        assert!(output.stderr.contains("waits"), "{output:?}");
        assert_eq!(output.success(), "ready\n");
    }
}
