//! Each function that we interpose and that has a system call of its own is a route of syscall(2), or is named here with
//! the reason why not.

#[path = "../src/interpose/routes.rs"]
mod routes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syscalls::Sysno;

macro_rules! names {
    (
        hooks { $($hook_nr:ident($($hook_arg:ident),*) $when:ident $how:ident => $hook:path[$($hook_value:expr),*];)* }
        outcomes { $($outcome_nr:ident($($arg:ident),*) => $outcome:path[$($value:expr),*];)* }
        specials { $($special_nr:ident => $special:path;)* }
    ) => {
        &[$(stringify!($hook_nr),)* $(stringify!($outcome_nr),)* $(stringify!($special_nr),)*]
    };
}

const ROUTED: &[&str] = routes::for_routes!(names);

/// Functions whose system call has another name.
const OTHER_NAMES: [(&str, &str); 10] = [
    ("eventfd", "eventfd2"),
    ("mq_receive", "mq_timedreceive"),
    ("mq_send", "mq_timedsend"),
    ("pselect", "pselect6"),
    ("recv", "recvfrom"),
    ("send", "sendto"),
    ("sigaction", "rt_sigaction"),
    ("signalfd", "signalfd4"),
    ("sigprocmask", "rt_sigprocmask"),
    ("sigtimedwait", "rt_sigtimedwait"),
];

/// What a raw system call of these names loses is what a call from code without libc loses.
const NOT_ROUTED: [(&[&str], &str); 6] = [
    (
        &[
            "eventfd2",
            "inotify_init",
            "inotify_init1",
            "pipe",
            "pipe2",
            "socket",
            "socketpair",
            "timerfd_create",
        ],
        "the provenance of the file stays unknown: its first ADD asks the kernel",
    ),
    (&["execve", "execveat"], "an exec past libc"),
    (
        &["rt_sigaction", "rt_sigprocmask", "rt_sigtimedwait", "signalfd4"],
        "libc's own structures differ from the kernel's; a program that makes them itself sees our signal",
    ),
    (&["getrlimit", "prlimit64", "setrlimit"], "the limit that we raise is seen for a moment"),
    (
        &["clock_nanosleep", "fdatasync", "flock", "fsync", "nanosleep", "wait4", "waitid"],
        "the record does not tell that it slept",
    ),
    (&["setresuid", "setreuid", "setuid"], "the kernel's calls change one thread alone"),
];

fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else {
            into.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The system calls of the functions that we interpose. Of a name that a helper bears by chance, nothing is missed.
fn calls_of_hooks() -> BTreeSet<String> {
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/interpose"), &mut texts);
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let functions = texts.iter().flat_map(|text| text.split("fn ").skip(1).map(word));
    let renamed = |name: String| {
        OTHER_NAMES
            .iter()
            .find(|(libcs, _)| *libcs == name)
            .map_or(name.clone(), |(_, call)| (*call).to_owned())
    };
    functions.map(renamed).filter(|name| name.parse::<Sysno>().is_ok()).collect()
}

#[test]
fn each_hook_with_a_system_call_is_routed_or_says_why_not() {
    let routed: BTreeSet<String> =
        ROUTED.iter().map(|name| name.trim_start_matches("SYS_").to_owned()).collect();
    assert_eq!(routed.len(), ROUTED.len(), "a number stands twice in the table");
    let excused: BTreeSet<String> =
        NOT_ROUTED.iter().flat_map(|(names, _)| names.iter().map(|name| (*name).to_owned())).collect();
    assert!(routed.is_disjoint(&excused), "routed and excused");
    let hooks = calls_of_hooks();
    assert!(hooks.len() > 40, "{hooks:?}");
    for name in &hooks {
        assert!(routed.contains(name) || excused.contains(name), "{name} is interposed, but not routed");
    }
    for name in &excused {
        assert!(hooks.contains(name), "{name} needs no excuse");
    }
    // These have no function of the same name, or (fcntl) a macro that defines two.
    let without = ["clone3", "fcntl", "io_uring_enter", "io_uring_setup", "seccomp"];
    for name in routed.iter().filter(|name| !without.contains(&name.as_str())) {
        assert!(hooks.contains(name), "{name} is routed, but not interposed");
    }
}
