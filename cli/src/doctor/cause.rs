//! Why a thread was away, or what it does while it spins: what looks from outside add up to, in words.

use std::collections::BTreeMap;

use super::Finding;
use crate::replay::world::{Case, Stack};
use crate::text::span;
use crate::text::units::count;

/// Frames that a stack is told by.
const FRAMES: usize = 6;
/// Where a stack begins: nothing to tell.
const RUNTIME: [&str; 6] =
    ["_start", "start_main", "start_call_main", "start_main_impl", "start_thread", "clone3"];
/// Functions of libc that look up names: they read files, and ask servers.
const LOOKUPS: [&str; 6] =
    ["getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyaddr", "getpwnam", "res_query"];

/// What is said to a process with a single descriptor, as in a server of several processes.
pub const ONE_AT_A_TIME: &str = "If the process is to serve one client at a time, this is how long the next one waits; more processes shorten that.";

/// What is said of a process whose threads had no processor, was stopped, or may have had none.
pub const OVERLOADED: &str = "As far as is known the program did not get to run: fewer programs on the machine, a larger quota, or a higher priority help. What is said on an idle machine, too, is the program's own.";
pub const STOPPED: &str = "Nothing is wrong with the program: it was stopped from outside.";
pub const PERHAPS_OVERLOADED: &str =
    "Look again while the machine has a processor for the program: what is said then, too, is its own.";

/// What took the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Worked,
    Slept,
    /// It could have run, and had no processor.
    Starved,
    Stopped,
}

impl Cause {
    /// Of a time away of `took`. None: too little of it was looked at.
    pub fn of(case: &Case, took: u64) -> Option<Self> {
        let all = [
            (case.ran, Self::Worked),
            (case.slept(), Self::Slept),
            (case.starved, Self::Starved),
            (case.stopped(), Self::Stopped),
        ];
        let (most, cause) = all.into_iter().max_by_key(|(ns, _)| *ns)?;
        (case.looks > 0 && most.saturating_mul(3) >= took).then_some(cause)
    }

    /// For the title of a finding.
    pub fn title(self, case: &Case) -> String {
        let lookup = lookup(case).map(|name| format!("a name lookup ({name})"));
        match self {
            Self::Slept => match lookup.or_else(|| slept_in(case)) {
                Some(call) => format!(", asleep in {call}"),
                None => ", asleep".into(),
            },
            Self::Worked => match lookup.or_else(|| hottest(&case.stacks).map(|(_, name, _)| name)) {
                Some(name) => format!(", at work in {name}"),
                None => ", at work".into(),
            },
            Self::Starved => ", without a processor".into(),
            Self::Stopped => ", stopped".into(),
        }
    }

    /// What to do about it.
    pub fn advice(self, case: &Case, serves_others: bool) -> &'static str {
        match self {
            Self::Slept if lookup(case).is_some() => {
                "Look names up in a thread of its own, or by a library that does not block (c-ares, getaddrinfo_a)."
            }
            Self::Slept if serves_others => {
                "Do not call what sleeps from the loop: use its form that does not block (O_NONBLOCK, LOCK_NB, a timer), or call it in another thread."
            }
            Self::Worked if serves_others => {
                "Do the work in pieces with waits between them, or in another thread."
            }
            Self::Slept | Self::Worked => ONE_AT_A_TIME,
            Self::Starved => {
                "The program is not slow, it does not get to run: fewer programs on the machine, a larger quota, or a higher priority help."
            }
            Self::Stopped => STOPPED,
        }
    }
}

/// What it was doing at the last look, in a word or two.
pub fn doing(case: &Case) -> Option<String> {
    match case.asleep() {
        Some((call, fd)) => Some(in_words(call, fd)),
        None => hottest(&case.stacks).map(|(_, name, _)| name),
    }
}

fn in_words(call: &str, fd: i32) -> String {
    match fd {
        ..0 => call.to_owned(),
        _ => format!("{call}(fd {fd})"),
    }
}

/// How the time was spent: lines of evidence.
pub fn lines(case: &Case) -> Vec<String> {
    let parts = [
        (case.ran, "worked for"),
        (case.slept(), "slept for"),
        (case.starved, "had no processor for"),
        (case.stopped(), "was stopped for"),
    ];
    // What is less than a hundredth is noise.
    let parts = parts.into_iter().filter(|(ns, _)| ns.saturating_mul(100) >= case.looked().max(1));
    let parts: Vec<String> = parts.map(|(ns, what)| format!("{what} {}", span(ns))).collect();
    let mut lines = Vec::new();
    if !parts.is_empty() {
        let looked = span(case.looked());
        let times =
            if case.cases > 1 { format!(", {} times together", count(case.cases)) } else { String::new() };
        lines.push(format!("the thread {} of {looked} that it was looked at{times}", parts.join(", ")));
    }
    if let Some(call) = slept_in(case).filter(|_| case.slept().saturating_mul(10) >= case.looked()) {
        lines.push(format!("it slept in {call}"));
    }
    lines.extend(stack(&case.stacks));
    lines
}

/// Adds to a finding what the thread did.
pub fn add(mut finding: Finding, case: &Case) -> Finding {
    finding.evidence.extend(lines(case));
    finding
}

/// Adds to a finding about a spin where in the program it is.
pub fn add_stack(mut finding: Finding, case: Option<&Case>) -> Finding {
    finding.evidence.extend(case.and_then(|case| stack(&case.stacks)));
    finding
}

/// The call in which it slept for longest: `flock(fd 7)`.
pub fn slept_in(case: &Case) -> Option<String> {
    let ((call, fd), _) = case.calls.iter().max_by_key(|(_, (_, ns))| *ns)?;
    Some(in_words(call, *fd))
}

fn lookup(case: &Case) -> Option<&'static str> {
    let is_in =
        |stack: &&Stack, name: &str| stack.iter().any(|frame| function(frame).trim_end_matches("_r") == name);
    let most = |name: &&&str| case.stacks.iter().filter(|stack| is_in(stack, name)).count() * 2;
    LOOKUPS.iter().find(|name| most(name) > case.stacks.len()).copied()
}

/// `in 14 of 15 looks: compute_page (page.c:41) ← handle ← main`
fn stack(stacks: &[Stack]) -> Option<String> {
    let (often, _, path) = hottest(stacks)?;
    let looks =
        if stacks.len() == 1 { "look".into() } else { format!("{} looks", count(stacks.len() as u64)) };
    let often = if stacks.len() == 1 { "the one".into() } else { count(often as u64) };
    let of = if stacks.len() == 1 { "" } else { "of " };
    Some(format!("in {often} {of}{looks} at its stack: {}", path.join(" ← ")))
}

/// The innermost function that most stacks have, how many have it, and the frames from it on in the stack that is told.
fn hottest(stacks: &[Stack]) -> Option<(usize, String, Vec<String>)> {
    let told: Vec<Vec<&String>> =
        stacks.iter().map(|stack| told(stack)).filter(|all| !all.is_empty()).collect();
    // How many have it, and how deep it lies in all of them.
    let mut functions: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for stack in &told {
        for (depth, frame) in stack.iter().enumerate() {
            let name = function(frame);
            if stack[..depth].iter().all(|inner| function(inner) != name) {
                let known = functions.entry(name).or_default();
                *known = (known.0 + 1, known.1 + depth);
            }
        }
    }
    let is_common = |often: usize| often * 5 >= told.len() * 3;
    let common = functions.iter().filter(|(_, (often, _))| is_common(*often));
    let (name, (often, _)) = common.min_by_key(|(_, (often, depth))| depth * 1000 / often)?;
    // The line that it was at most often.
    let mut frames: BTreeMap<&String, usize> = BTreeMap::new();
    told.iter()
        .flatten()
        .filter(|frame| function(frame) == *name)
        .for_each(|frame| *frames.entry(frame).or_default() += 1);
    let frame = *frames.iter().max_by_key(|(_, often)| **often)?.0;
    let stack = told.iter().find(|stack| stack.contains(&frame))?;
    let at = stack.iter().position(|other| *other == frame)?;
    let path = stack[at..].iter().take(FRAMES).map(|frame| short(frame)).collect();
    Some((*often, (*name).to_owned(), path))
}

/// The frames that are told: not what begins a stack, and of a function in a function of the same name one.
fn told(stack: &Stack) -> Vec<&String> {
    let is_told = |frame: &&String| !RUNTIME.contains(&function(frame));
    let mut all: Vec<&String> = stack.iter().filter(is_told).collect();
    all.dedup_by(|next, before| function(next) == function(before));
    all
}

/// A frame without the folder of its file: `compute_page (page.c:41)`.
fn short(frame: &str) -> String {
    match frame.rsplit_once(" (") {
        Some((name, place)) if place.ends_with(')') && place.contains('/') => {
            format!("{name} ({}", place.rsplit('/').next().unwrap_or(place))
        }
        _ => frame.to_owned(),
    }
}

/// The function of a frame such as `compute_page (page.c:41)` or `read in libc.so.6`.
fn function(frame: &str) -> &str {
    let place = if frame.ends_with(')') { frame.rsplit_once(" (") } else { frame.rsplit_once(" in ") };
    place.map_or(frame, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use glasspoll_record::Sample;

    use super::*;
    use crate::replay::world::Looks;

    const MS: u64 = 1_000_000;

    fn case(state: u8, call: &str, ran: u64, starved: u64, frames: &[&str]) -> Case {
        let mut looks = Looks::default();
        for ms in [10, 100, 310] {
            let share = (ms - 10) * MS / 300;
            let (ran_ns, waited_ns) = (ran * share, starved * share);
            let frames = frames.iter().map(|frame| (*frame).to_owned()).collect();
            let call = call.into();
            looks.add(&Sample {
                ns: ms * MS,
                ran_ns,
                waited_ns,
                tid: 7,
                fd: 3,
                state,
                call,
                frames,
                ..Sample::default()
            });
        }
        looks.away(7, 0, u64::MAX).unwrap()
    }

    #[test]
    fn sleep_is_told_with_its_call() {
        let case = case(b'S', "flock", 3, 0, &[]);
        assert_eq!(Cause::of(&case, 320 * MS), Some(Cause::Slept));
        assert_eq!(Cause::Slept.title(&case), ", asleep in flock(fd 3)");
        let lines = lines(&case);
        assert_eq!(lines[0], "the thread worked for 3 ms, slept for 297 ms of 300 ms that it was looked at");
        assert_eq!(lines[1], "it slept in flock(fd 3)");
    }

    #[test]
    fn work_is_told_with_its_function() {
        let case =
            case(b'R', "", 290, 10, &["memcpy in libc", "page (/src/a.c:4)", "main (a.c:9)", "_start in a"]);
        assert_eq!(Cause::of(&case, 320 * MS), Some(Cause::Worked));
        assert_eq!(Cause::Worked.title(&case), ", at work in memcpy");
        assert_eq!(
            lines(&case)[1],
            "in 3 of 3 looks at its stack: memcpy in libc ← page (a.c:4) ← main (a.c:9)"
        );
    }

    #[test]
    fn a_name_lookup_is_called_so() {
        let case = case(b'S', "poll", 0, 0, &["poll in libc", "getaddrinfo in libc", "main (a.c:9)"]);
        assert_eq!(Cause::Slept.title(&case), ", asleep in a name lookup (getaddrinfo)");
    }

    #[test]
    fn what_had_no_processor_is_not_slow() {
        let case = case(b'R', "", 20, 280, &[]);
        assert_eq!(Cause::of(&case, 320 * MS), Some(Cause::Starved));
        assert_eq!(Cause::of(&case, 3_000 * MS), None, "most of it was not looked at");
    }

    #[test]
    fn the_function_that_most_stacks_have_is_told() {
        let stack = |inner: &str, line: u32| {
            vec![inner.to_owned(), format!("work (w.c:{line})"), "main (m.c:1)".into()]
        };
        let stacks = [stack("a", 1), stack("b", 2), stack("c", 2), stack("a", 2)];
        let (often, name, path) = hottest(&stacks).unwrap();
        assert_eq!((often, name.as_str(), path.join(" ")), (4, "work", "work (w.c:2) main (m.c:1)".into()));
        assert_eq!(hottest(&[]), None);
        assert_eq!(
            super::stack(&stacks[..1]).unwrap(),
            "in the one look at its stack: a ← work (w.c:1) ← main (m.c:1)"
        );
    }
}
