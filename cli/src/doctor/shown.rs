//! Which frames of a stack are shown: a library of event loops that calls epoll_ctl(2) is not the answer, the code of the
//! program is.

use crate::symbols::Frame;

/// The most frames that are shown.
const MOST: usize = 6;
/// The innermost frames that are shown in any case.
const INNERMOST: usize = 2;

/// A line of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Frame(&'a Frame),
    /// Some frames are left out.
    More,
}

/// Libraries that call epoll_ctl(2) or the program for somebody else.
const LIBRARIES: [&str; 16] = [
    "libuv.",
    "libevent",
    "libev.",
    "libglib-",
    "libgio-",
    "libgobject-",
    "libc.",
    "libc-",
    "libpthread",
    "ld-linux",
    "libstdc++",
    "libsystemd",
    "libverto",
    "libtevent",
    "libpython",
    "libffi.",
];
/// Functions that pass an epoll_ctl(2) on.
const CALLS: [&str; 3] = ["epoll_ctl", "syscall", "__epoll_ctl"];

fn module(frame: &Frame) -> &str {
    let path = frame.module.as_deref().unwrap_or_default();
    path.rsplit('/').next().unwrap_or(path)
}

fn is_library(frame: &Frame) -> bool {
    LIBRARIES.iter().any(|name| module(frame).starts_with(name)) || is_python(frame)
}

/// CPython, or a module of its own.
fn is_python(frame: &Frame) -> bool {
    let module = module(frame);
    module.starts_with("python3") || module.starts_with("libpython") || module.contains(".cpython-")
}

/// Drops the outermost frames, which start the program or a thread: those above main, and libc's with `_start`.
pub fn cut_the_start(frames: &mut Vec<Frame>) {
    let is_first = |frame: &Frame| frame.function.as_deref() == Some("main");
    if let Some(at) = frames.iter().position(is_first) {
        frames.truncate(at + 1);
        return;
    }
    let after_libc = frames.iter().rposition(is_libc).map_or(0, |at| at + 1);
    let before = frames[..after_libc].iter().rposition(|frame| !is_libc(frame));
    if let (Some(before), 0..=1) = (before, frames.len() - after_libc) {
        frames.truncate(before + 1);
    }
}

fn is_libc(frame: &Frame) -> bool {
    ["libc.", "libc-", "libpthread", "ld-musl"].iter().any(|name| module(frame).starts_with(name))
}

/// Whether it is the call itself, in libc.
pub fn is_the_call(frame: &Frame) -> bool {
    module(frame).starts_with("libc") && frame.function.as_deref().is_none_or(|name| CALLS.contains(&name))
}

/// What is shown of a stack: all if it is short, else the innermost frames and the program's own.
pub fn lines(frames: &[Frame], goes_on: bool) -> Vec<Line<'_>> {
    if frames.len() <= MOST {
        let more = goes_on.then_some(Line::More);
        return frames.iter().map(Line::Frame).chain(more).collect();
    }
    let inner = (0..INNERMOST).collect::<Vec<_>>();
    let own = (INNERMOST..frames.len()).filter(|at| !is_library(&frames[*at]));
    let mut shown: Vec<usize> = inner.iter().copied().chain(own).take(MOST).collect();
    // An interpreter's frames tell nothing.
    if shown.len() == INNERMOST && !frames.iter().any(is_python) {
        shown.extend(INNERMOST..MOST);
    }
    let mut lines = Vec::new();
    let mut next = 0;
    for at in shown {
        if at != next {
            lines.push(Line::More);
        }
        lines.push(Line::Frame(&frames[at]));
        next = at + 1;
    }
    if goes_on || next != frames.len() {
        lines.push(Line::More);
    }
    lines
}

/// What shows more than these frames.
pub fn hint<'a>(frames: impl Iterator<Item = &'a Frame> + Clone, pid: u32) -> Option<String> {
    let name = |frame: &'a Frame| frame.function.as_deref().unwrap_or_default();
    if frames.clone().any(|frame| name(frame) == "uv__io_poll") {
        return Some(
            "libuv calls epoll_ctl(2) later, in its loop: the code that asked for it is not on the stack"
                .into(),
        );
    }
    let is_told = frames.clone().any(|frame| name(frame).starts_with("py::"));
    (frames.clone().any(is_python) && !is_told).then(|| {
        format!(
            "these are frames of Python's interpreter: python -X perf (3.12 and later) has Python's own among them, \
             and py-spy dump -p {pid} shows where it is now"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: &str) -> Frame {
        let module = format!("/x/{module}");
        Frame { function: Some(function.into()), module: Some(module), ..Frame::default() }
    }

    fn names(lines: &[Line<'_>]) -> Vec<String> {
        let name = |line: &Line<'_>| match line {
            Line::Frame(frame) => frame.function.clone().unwrap_or_default(),
            Line::More => "…".into(),
        };
        lines.iter().map(name).collect()
    }

    #[test]
    fn a_short_stack_is_shown_whole() {
        let all = [frame("a", "app"), frame("main", "app")];
        assert_eq!(names(&lines(&all, false)), ["a", "main"]);
        assert_eq!(names(&lines(&all, true)), ["a", "main", "…"]);
        assert!(is_the_call(&frame("epoll_ctl", "libc.so.6")) && !is_the_call(&frame("epoll_ctl", "app")));
    }

    #[test]
    fn of_a_long_stack_the_innermost_and_the_programs_own_are_shown() {
        let mut all = vec![frame("uv__io_poll", "libuv.so.1"), frame("uv_run", "libuv.so.1")];
        all.extend((0..5).map(|n| frame(&format!("lib{n}"), "libevent-2.1.so.7")));
        all.extend(["serve", "run", "main"].map(|name| frame(name, "app")));
        let shown = names(&lines(&all, false));
        assert_eq!(shown, ["uv__io_poll", "uv_run", "…", "serve", "run", "main"]);
        let deep: Vec<Frame> = (0..20).map(|n| frame(&format!("f{n}"), "app")).collect();
        assert_eq!(names(&lines(&deep, true)), ["f0", "f1", "f2", "f3", "f4", "f5", "…"]);
        let library: Vec<Frame> = (0..9).map(|n| frame(&format!("f{n}"), "libev.so.4")).collect();
        assert_eq!(names(&lines(&library, false)).len(), 7);
    }

    #[test]
    fn frames_that_start_the_program_are_dropped() {
        let cut = |all: &[(&str, &str)]| {
            let mut all: Vec<Frame> = all.iter().map(|(name, module)| frame(name, module)).collect();
            cut_the_start(&mut all);
            all.iter().map(|frame| frame.function.clone().unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(
            cut(&[("a", "app"), ("main", "app"), ("x", "libc.so.6"), ("_start", "app")]),
            ["a", "main"]
        );
        assert_eq!(cut(&[("1", "app"), ("2", "libc.so.6"), ("3", "libc.so.6"), ("4", "app")]), ["1"]);
        assert_eq!(cut(&[("work", "app"), ("start_thread", "libc.so.6"), ("clone3", "libc.so.6")]), ["work"]);
        let sorted = [("compare", "app"), ("qsort", "libc.so.6"), ("sort", "app"), ("run", "app")];
        assert_eq!(cut(&sorted).len(), 4);
        assert_eq!(cut(&[("x", "libc.so.6")]), ["x"]);
    }

    #[test]
    fn of_python_it_is_told_what_shows_its_own_frames() {
        let all = [frame("pyepoll_register", "python3.13"), frame("f", "app")];
        assert!(hint(all.iter(), 42).is_some_and(|hint| hint.contains("py-spy dump -p 42")));
        assert_eq!(hint(all[1..].iter(), 42), None);
        let told = [frame("pyepoll_register", "python3.13"), frame("py::serve:/srv/a.py", "")];
        assert_eq!(hint(told.iter(), 42), None);
        let deep: Vec<Frame> = (0..9).map(|n| frame(&format!("f{n}"), "libpython3.13.so.1.0")).collect();
        assert_eq!(names(&lines(&deep, true)), ["f0", "f1", "…"]);
        let libuv = [frame("uv__epoll_ctl_prep", "node"), frame("uv__io_poll", "node")];
        assert!(hint(libuv.iter(), 42).is_some_and(|hint| hint.starts_with("libuv")));
    }
}
