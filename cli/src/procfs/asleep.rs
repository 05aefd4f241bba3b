//! What the threads of a process sleep in, as `/proc/PID/task/TID/syscall` tells.

use std::collections::BTreeMap;

use syscalls::Sysno;

use crate::procfs::names;

/// Calls in which a thread waits for descriptors, by what people call them.
const CALLS: &[(Sysno, &str)] = &[
    #[cfg(target_arch = "x86_64")]
    (Sysno::poll, "poll(2)"),
    (Sysno::ppoll, "poll(2)"),
    #[cfg(target_arch = "x86_64")]
    (Sysno::select, "select(2)"),
    (Sysno::pselect6, "select(2)"),
    (Sysno::io_uring_enter, "io_uring_enter(2)"),
    #[cfg(target_arch = "x86_64")]
    (Sysno::epoll_wait, "epoll_wait(2)"),
    (Sysno::epoll_pwait, "epoll_wait(2)"),
    (Sysno::epoll_pwait2, "epoll_wait(2)"),
];

/// How many threads wait for descriptors in which call, in words; None: no thread does, or we may not ask.
pub fn words(pid: u32) -> Option<String> {
    let threads = names::threads(pid);
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    for (tid, _) in &threads {
        let read = |file: &str| names::read(format!("/proc/{pid}/task/{tid}/{file}")).unwrap_or_default();
        if let Some(name) = name(&read("syscall"), || read("wchan")) {
            *waiting.entry(name).or_default() += 1;
        }
    }
    let each: Vec<String> = waiting
        .iter()
        .map(|(name, number)| match threads.len() {
            1 => format!("its thread waits in {name}"),
            all => {
                let s = if *number == 1 { "s" } else { "" };
                format!("{number} of its {all} threads wait{s} in {name}")
            }
        })
        .collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// The name of a call to wait: `7 0x7ffd… …`; `place` is the kernel's function that it sleeps in. None: it is another
/// call.
fn name(call: &str, place: impl FnOnce() -> String) -> Option<&'static str> {
    let number: usize = call.split_ascii_whitespace().next()?.parse().ok()?;
    // A call that was interrupted, by an attach say, and goes on. Of these calls poll(2) alone goes on so.
    // Linux: fs/select.c:do_restart_poll
    if number == Sysno::restart_syscall.id() as usize {
        return place().starts_with("poll_").then_some("poll(2)");
    }
    CALLS.iter().find(|(call, _)| call.id() as usize == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_number() {
        let name = |call: &str| name(call, || "poll_schedule_timeout.constprop.0".to_owned());
        assert_eq!(name(&format!("{} 0x1 0x2", Sysno::ppoll.id())), Some("poll(2)"));
        assert_eq!(name(&format!("{} 0x1", Sysno::io_uring_enter.id())), Some("io_uring_enter(2)"));
        let again = format!("{} 0x1", Sysno::restart_syscall.id());
        assert_eq!(name(&again), Some("poll(2)"));
        assert_eq!(super::name(&again, || "hrtimer_nanosleep".to_owned()), None);
        for other in ["running", "", "-1 0x0", &format!("{} 0x1", Sysno::read.id())] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn a_process_that_polls_is_told() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let script = "import select; print('x', flush=True); select.poll().poll(60000)";
        let started = std::process::Command::new("python3").args(["-c", script]).stdout(writer).spawn();
        // Without Python there is nothing to look at.
        let Ok(mut child) = started else { return };
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let mut told = None;
        while told.is_none() && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(10));
            told = words(child.id());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(told.as_deref(), Some("its thread waits in poll(2)"));
    }
}
