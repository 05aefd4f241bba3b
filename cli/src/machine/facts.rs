//! What the probes mean for a user of glasspoll.

use std::fs::File;
use std::path::Path;

use super::trial::{self, Trial};
use super::{calls, probes, Fact, Standing};
use crate::collect::listener::Listener;
use crate::procfs::names;
use crate::program::{elf, library};
use crate::sys;
use crate::text::units::count;
use crate::version;

/// A queue of fewer signals runs over under load.
const FEW_SIGNALS: u64 = 1024;

fn fact(name: &'static str, is_full: bool, here: impl Into<String>, effect: impl Into<String>) -> Fact {
    let standing = if is_full { Standing::Full } else { Standing::Less };
    Fact { name, standing, here: here.into(), effect: effect.into() }
}

fn missing(name: &'static str, here: impl Into<String>, effect: impl Into<String>) -> Fact {
    Fact { name, standing: Standing::Missing, here: here.into(), effect: effect.into() }
}

/// All of them, in the order of a reader's questions.
pub fn gather() -> Vec<Fact> {
    let epoll = probes::epoll();
    let mut facts = vec![kernel(), libc()];
    match library::find() {
        Ok(path) => facts.extend(library_here(&path, epoll.works())),
        Err(why) => facts.push(missing("library", "not found", why)),
    }
    let effect = if epoll.works() {
        "programs can be observed and attached to"
    } else {
        "run serves them all the same; doctor and top need --emulate"
    };
    facts.push(fact("epoll", epoll.works(), epoll.word(), effect));
    facts.extend(wakeups());
    facts.extend([seals(), others(), tracing(), limit_of_signals(), limit_of_files()]);
    facts.extend([folder(), proc(), seccomp()]);
    facts
}

fn kernel() -> Fact {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let mut parts =
        release.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let version: elf::Version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let is_known = version >= version::KERNEL;
    let effect =
        if is_known { "supported: 5.10 and newer" } else { "not tested: 5.10 is the oldest that is" };
    fact("kernel", is_known, format!("Linux {}.{}, {}", version.0, version.1, std::env::consts::ARCH), effect)
}

fn libc() -> Fact {
    let needed = library::find().ok().and_then(|path| elf::glibc_needed(&File::open(path).ok()?));
    let effect = needed.map_or("what the library needs is not known".into(), |needed| {
        format!("the library needs {}.{} or newer; programs of musl run without it", needed.0, needed.1)
    });
    fact("libc", true, format!("glibc {}", trial::glibc()), effect)
}

/// The library, and what a program on it got.
fn library_here(path: &Path, has_epoll: bool) -> Vec<Fact> {
    let emulate = trial::run(path, "emulate");
    let said = |trial: &Trial| match &trial.said[..] {
        [] => String::new(),
        lines => format!(": {}", lines.join("; ")),
    };
    if !emulate.is_loaded {
        return vec![missing("library", "does not load", format!("{}{}", path.display(), said(&emulate)))];
    }
    let mut facts = vec![fact("library", true, "loads", path.display().to_string())];
    let works = emulate.is_ours && emulate.is_delivered;
    facts.push(match works {
        true if emulate.said.is_empty() => {
            fact("own epoll", true, "works", "run: glasspoll answers every epoll call")
        }
        true => fact("own epoll", false, "works, with a word", emulate.said.join("; ")),
        false if emulate.is_delivered => fact(
            "own epoll",
            false,
            "does not start",
            format!("the kernel's answers instead{}", said(&emulate)),
        ),
        false => missing("own epoll", "does not work", format!("no event came{}", said(&emulate))),
    });
    let observe = trial::run(path, "observe");
    if observe.is_delivered && !observe.is_ours {
        facts.push(fact(
            "observing",
            true,
            "works",
            "doctor, top, run --observe: the kernel's epoll is recorded",
        ));
    } else {
        let why = if has_epoll { said(&observe) } else { ": the kernel's epoll is refused".into() };
        facts.push(fact("observing", false, "does not work", format!("use --emulate{why}")));
    }
    facts.push(match emulate.record {
        Some(true) => {
            fact("record", true, "in memory, sealed", "ls, top, record, dump and doctor can read it")
        }
        Some(false) => {
            fact("record", false, "cannot be sealed", "no command reads it: run has no summary, no file")
        }
        None => fact("record", false, "none", "ls, top, record, dump and doctor see nothing of a program"),
    });
    facts
}

/// How the kernel's files tell the library that they are ready.
fn wakeups() -> Vec<Fact> {
    let (signalfd, signals, eventfd, threads) =
        (probes::signalfd(), probes::signals_of_files(), probes::eventfd(), probes::threads());
    let polled = "every file is polled: as fast, but edges may come 10 ms late";
    let by_signals = "sockets, pipes and ttys tell of themselves";
    let [kcmp, query] = probes::same_file();
    vec![
        fact(
            "signalfd",
            signalfd.works(),
            signalfd.word(),
            if signalfd.works() { "wakeups are read from it" } else { polled },
        ),
        fact(
            "signals of files",
            signals.works(),
            signals.word(),
            if signals.works() { by_signals } else { polled },
        ),
        fact(
            "eventfd",
            eventfd.works(),
            eventfd.word(),
            if eventfd.works() { "a sleep ends at once" } else { "the kernel's epoll answers" },
        ),
        fact(
            "threads",
            threads.works(),
            threads.word(),
            if threads.works() {
                "a helper watches where several threads wait"
            } else {
                "several waiting threads look every 5 ms"
            },
        ),
        fact(
            "kcmp",
            kcmp.works() || query.works(),
            if kcmp.works() {
                kcmp.word()
            } else {
                format!("{}; F_DUPFD_QUERY {}", kcmp.word(), query.word())
            },
            match (kcmp.works(), query.works()) {
                (true, _) => "inherited duplicates are known as one file",
                (false, true) => "F_DUPFD_QUERY takes its place",
                (false, false) => "inherited duplicates count as two files",
            },
        ),
    ]
}

fn seals() -> Fact {
    let tried = probes::seals();
    let effect = if tried.works() { "the record is of fixed size" } else { "no command reads a record" };
    fact("sealed memfd", tried.works(), tried.word(), effect)
}

fn others() -> Fact {
    let tried = probes::files_of_others();
    let effect = if tried.works() {
        "findings say what waits in a descriptor"
    } else {
        "findings leave out what waits in a descriptor"
    };
    fact("pidfd_getfd", tried.works(), tried.word(), effect)
}

fn tracing() -> Fact {
    let tried = probes::tracing();
    let scope = names::read("/proc/sys/kernel/yama/ptrace_scope".into())
        .and_then(|text| text.trim().parse::<u8>().ok());
    let here = scope.map_or(tried.word(), |scope| format!("{}, Yama: {scope}", tried.word()));
    let is_root = sys::user() == 0;
    let (is_full, effect) = match (tried.works(), scope) {
        _ if !cfg!(target_arch = "x86_64") => {
            (false, "attach is for x86-64 alone; no stacks of threads that are late")
        }
        (false, _) => (false, "no attach, and no stacks of threads that are late"),
        (true, None | Some(0)) if is_root => (true, "attach, and stacks of threads that are late"),
        (true, None | Some(0)) => (true, "attach to programs of yours, and stacks of threads that are late"),
        (true, Some(1 | 2)) if is_root => (true, "attach, and stacks of threads that are late"),
        (true, Some(_)) => (false, "attach takes root; stacks only of programs that glasspoll starts"),
    };
    fact("ptrace", is_full, here, effect)
}

fn limit(resource: libc::__rlimit_resource_t) -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local. A refusal leaves no room, and is told so.
    unsafe { libc::getrlimit(resource, &mut limit) };
    limit
}

fn limit_of_signals() -> Fact {
    let most = limit(libc::RLIMIT_SIGPENDING).rlim_cur;
    let status = names::read("/proc/self/status".into()).unwrap_or_default();
    let queue = status.lines().find_map(|line| line.strip_prefix("SigQ:")).unwrap_or_default();
    let used: u64 = queue.split('/').next().and_then(|used| used.trim().parse().ok()).unwrap_or(0);
    let left = most.saturating_sub(used);
    let here = if most == libc::RLIM_INFINITY {
        "no limit".into()
    } else {
        format!("{} of {} left", count(left), count(most))
    };
    let is_full = left >= FEW_SIGNALS;
    let effect = if is_full {
        "as many wakeups may be queued"
    } else {
        "under load it runs over: then each file is polled"
    };
    fact("signal queue", is_full, here, effect)
}

fn limit_of_files() -> Fact {
    let limit = limit(libc::RLIMIT_NOFILE);
    let is_full = limit.rlim_max > limit.rlim_cur;
    let effect = if is_full {
        "the library's four or five lie above them"
    } else {
        "the library's four or five are among them"
    };
    fact("descriptors", true, format!("{}, hard {}", count(limit.rlim_cur), count(limit.rlim_max)), effect)
}

fn folder() -> Fact {
    match Listener::open() {
        Ok(listener) => {
            let place = listener.path().ancestors().nth(3).unwrap_or(Path::new("/")).display().to_string();
            fact("folder", true, place, "run -c, run -o and doctor gather records by a socket in it")
        }
        Err(why) => fact("folder", false, "none can be written to", why),
    }
}

fn proc() -> Fact {
    let (own, first) = (names::comm(std::process::id()), names::comm(1));
    match (own, first) {
        (None, _) => fact("/proc", false, "not mounted", "ls, top, attach and doctor PID see nothing"),
        (_, None) => fact("/proc", false, "hides others' processes", "ls lists yours alone"),
        _ if sys::user() == 0 => fact("/proc", true, "as root", "ls lists every process"),
        _ => fact("/proc", true, format!("as user {}", sys::user()), "ls lists the processes of this user"),
    }
}

fn seccomp() -> Fact {
    let status = names::read("/proc/self/status".into()).unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
    let here = match mode {
        Some("0") => "none".into(),
        Some("2") => "a filter".into(),
        Some(mode) => format!("mode {mode}"),
        None => "not known".to_owned(),
    };
    let refused = [calls::of_the_library(), calls::of_the_command()].concat();
    let effect = if refused.is_empty() {
        "no call that glasspoll makes is refused".into()
    } else {
        format!("refused: {} (see docs/faults.md)", refused.join(", "))
    };
    fact("seccomp", refused.is_empty(), here, effect)
}
