//! A program on the library: this command once more, which uses epoll and says what it got.

use std::env;
use std::ffi::CStr;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{json, Value};
use syscalls::Sysno;

use super::child::errno;
use crate::program::engine;

/// How long it may take: what hangs here is no use.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);
/// How long the event may take.
const WAIT_MS: i32 = 1000;

/// What came of it.
#[derive(Debug)]
pub struct Trial {
    /// The library was loaded.
    pub is_loaded: bool,
    /// The library's own epoll answered.
    pub is_ours: bool,
    /// The event came.
    pub is_delivered: bool,
    /// The process has a record, and it is sealed.
    pub record: Option<bool>,
    /// What the loader or the library said, a line each; and how the program ended, if not well.
    pub said: Vec<String>,
}

/// Runs it on the library with `engine`.
pub fn run(library: &Path, engine: &str) -> Trial {
    match answer(library, engine) {
        Ok((answer, said)) => Trial {
            is_loaded: answer["loaded"] == true,
            is_ours: answer["ours"] == true,
            is_delivered: answer["delivered"] == true,
            record: answer["sealed"].as_bool(),
            said: said.into_iter().chain(answer["trouble"].as_str().map(str::to_owned)).collect(),
        },
        Err(said) => Trial { is_loaded: false, is_ours: false, is_delivered: false, record: None, said },
    }
}

fn answer(library: &Path, engine: &str) -> Result<(Value, Vec<String>), Vec<String>> {
    let fail = |error: io::Error| vec![error.to_string()];
    let exe = env::current_exe().map_err(fail)?;
    let mut command = Command::new(exe);
    command.arg("probe").env("LD_PRELOAD", library).env(engine::VARIABLE, engine);
    // What a user's settings change is not the question, and neither is a log.
    for name in
        ["GLASSPOLL_LOG", "GLASSPOLL_LOG_FILE", "GLASSPOLL_CHAOS", "GLASSPOLL_COLLECT", "GLASSPOLL_READY"]
    {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(fail)?;
    let until = Instant::now() + LIMIT;
    // It prints less than a pipe holds, so it ends though nothing reads meanwhile.
    let status = loop {
        match child.try_wait().map_err(fail)? {
            Some(status) => break Some(status),
            None if Instant::now() < until => thread::sleep(PAUSE),
            None => {
                // It may have ended just now.
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    let (mut out, mut err) = (String::new(), Vec::new());
    // What cannot be read was not said.
    let _ = child.stdout.take().map(|mut pipe| pipe.read_to_string(&mut out));
    let _ = child.stderr.take().map(|mut pipe| pipe.read_to_end(&mut err));
    let mut said: Vec<String> = String::from_utf8_lossy(&err).lines().map(str::to_owned).collect();
    match (status, serde_json::from_str(&out)) {
        (Some(status), Ok(answer)) if status.success() => Ok((answer, said)),
        (status, _) => {
            said.push(status.map_or("it hung".into(), |status| format!("it ended with {status}")));
            Err(said)
        }
    }
}

/// `glasspoll probe`: the program of the trial.
pub fn probe() -> Result<ExitCode, String> {
    // SAFETY: a string.
    let loaded = unsafe { !libc::dlsym(libc::RTLD_DEFAULT, c"glasspoll_attach".as_ptr()).is_null() };
    let mut answer = json!({ "loaded": loaded });
    match event() {
        Ok((ours, delivered)) => {
            answer["ours"] = ours.into();
            answer["delivered"] = delivered.into();
        }
        Err((call, errno)) => {
            answer["trouble"] = format!("{call}: {}", io::Error::from_raw_os_error(errno)).into();
        }
    }
    answer["sealed"] = sealed().into();
    println!("{answer}");
    Ok(ExitCode::SUCCESS)
}

/// Waits for a byte in a pipe. Whose epoll it was, and whether the event came.
fn event() -> Result<(bool, bool), (&'static str, i32)> {
    let owned = |call, fd: i32| {
        // SAFETY: the call has just made it.
        (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) }).ok_or_else(|| (call, errno()))
    };
    let mut ends = [0; 2];
    // SAFETY: the pointers are to locals. All these are libc's functions, for which the library stands in.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) < 0 {
            return Err(("pipe2", errno()));
        }
        let [reads, writes] = [owned("pipe2", ends[0])?, owned("pipe2", ends[1])?];
        let set = owned("epoll_create1", libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 42 };
        if libc::epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, reads.as_raw_fd(), &mut event) < 0 {
            return Err(("epoll_ctl", errno()));
        }
        let writer = writes.try_clone();
        let late = thread::Builder::new().spawn(move || {
            thread::sleep(PAUSE);
            writer.map(|end| libc::write(end.as_raw_fd(), b"!".as_ptr().cast(), 1))
        });
        if late.is_err() {
            libc::write(writes.as_raw_fd(), b"!".as_ptr().cast(), 1);
        }
        let mut got = libc::epoll_event { events: 0, u64: 0 };
        let count = libc::epoll_wait(set.as_raw_fd(), &mut got, 1, WAIT_MS);
        if count < 0 {
            return Err(("epoll_wait", errno()));
        }
        // Before the files close: the thread has its own copy of the writing end.
        let _ = late.map(thread::JoinHandle::join);
        let link = fs::read_link(format!("/proc/self/fd/{}", set.as_raw_fd())).unwrap_or_default();
        Ok((!link.to_string_lossy().contains("[eventpoll]"), count == 1 && got.u64 == 42))
    }
}

/// Whether this process's record is sealed; None: there is none.
fn sealed() -> Option<bool> {
    let fds = fs::read_dir("/proc/self/fd").ok()?.flatten();
    let record = fds.filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:glasspoll"))
    });
    let fd: i32 = record.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).next()?;
    // The library keeps its own descriptors from the program's libc, so this call goes past it.
    // SAFETY: numbers alone.
    let seals = unsafe { syscalls::syscall!(Sysno::fcntl, fd as usize, libc::F_GET_SEALS as usize) };
    Some(seals.is_ok_and(|seals| seals != 0))
}

/// The glibc that runs here.
pub fn glibc() -> String {
    // SAFETY: it returns a string that lives as long as the process.
    unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy().into_owned()
}
