//! `sweep FOLDER…`: opens every file below the folders, puts each into an epoll set of its own, and prints the results.
//!
//! A line is `PATH ADD LEVEL LEVEL EDGE EDGE`: the result of epoll_ctl, and the events of four waits of 0: two before
//! the item is made edge-triggered, and two after. It reads nothing and writes nothing. It leaves out files whose open
//! may block or change something (`is_left_out`).

use std::ffi::CString;
use std::fs::{self, FileType};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const ALL: i32 = libc::EPOLLIN
    | libc::EPOLLOUT
    | libc::EPOLLPRI
    | libc::EPOLLRDNORM
    | libc::EPOLLRDBAND
    | libc::EPOLLWRNORM
    | libc::EPOLLWRBAND
    | libc::EPOLLRDHUP;

/// How deep a folder may lie. Those of /sys go down to about 15.
const DEPTH: usize = 24;

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if folders.is_empty() {
        eprintln!("usage: sweep FOLDER...");
        return ExitCode::from(2);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for folder in folders {
        if walk(&folder, 0, &mut out).is_err() {
            return ExitCode::FAILURE;
        }
    }
    if out.flush().is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn walk(folder: &Path, depth: usize, out: &mut impl Write) -> io::Result<()> {
    try_file(folder, out)?;
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink() || is_left_out(&path, kind) {
            continue;
        }
        if !kind.is_dir() {
            try_file(&path, out)?;
        } else if depth < DEPTH {
            walk(&path, depth + 1, out)?;
        }
    }
    Ok(())
}

fn is_left_out(path: &Path, kind: FileType) -> bool {
    let text = path.to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if kind.is_fifo() || kind.is_socket() {
        // FIFOs and sockets have peers.
        return true;
    }
    if let Some(below) = text.strip_prefix("/proc/") {
        // Other processes come and go. The descriptors and mappings of this one differ with the library.
        let of_a_process = below.starts_with(|first: char| first.is_ascii_digit());
        let own = text.starts_with("/proc/self/") || text.starts_with("/proc/thread-self/");
        return of_a_process || own && ["fd", "fdinfo", "map_files", "task"].contains(&&*name);
    }
    if text.starts_with("/dev/") {
        // Opening a watchdog starts it, and it would reset the machine. tty and the like, pts: they belong to a
        // session. Tapes, printers, cameras, sound: they wind, reset, or belong to the first process that opens them.
        // snapshot: opening it prepares for hibernation.
        return begins(&[
            "watchdog", "tty", "console", "st", "nst", "lp", "usblp", "video", "pcm", "snapshot", "rtc",
        ]) || text.starts_with("/dev/pts/")
            || ["shm", "mqueue", "hugepages", "fd"].contains(&&*name);
    }
    // Other file systems. tracefs has thousands of similar files, and opening some of them stops the trace or takes
    // data from it. In debugfs, the files that can be added look like those that cannot.
    ["/sys/kernel/tracing", "/sys/kernel/debug"].contains(&&*text)
}

fn try_file(path: &Path, out: &mut impl Write) -> io::Result<()> {
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return Ok(()) };
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the name ends with a NUL.
    let fd = unsafe { libc::open(name.as_ptr(), flags) };
    if fd < 0 {
        return Ok(());
    }
    // SAFETY: there are no pointers.
    let epfd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    let mut event = libc::epoll_event { events: ALL as u32, u64: 7 };
    // SAFETY: the event lives as long as the call.
    let added = unsafe { libc::epoll_ctl(epfd, libc::EPOLL_CTL_ADD, fd, &raw mut event) };
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    write!(out, "{} ", path.display())?;
    if added < 0 {
        writeln!(out, "{errno} - - - -")?;
    } else {
        write!(out, "ok {} {} ", wait(epfd), wait(epfd))?;
        event.events |= libc::EPOLLET as u32;
        // SAFETY: as above.
        let changed = unsafe { libc::epoll_ctl(epfd, libc::EPOLL_CTL_MOD, fd, &raw mut event) };
        assert_eq!(changed, 0, "what is in the set can be changed");
        writeln!(out, "{} {}", wait(epfd), wait(epfd))?;
    }
    // SAFETY: both are this function's.
    unsafe {
        libc::close(epfd);
        libc::close(fd);
    }
    Ok(())
}

fn wait(epfd: i32) -> String {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: there is room for one event.
    match unsafe { libc::epoll_wait(epfd, &raw mut event, 1, 0) } {
        0 => "0".to_owned(),
        1 => format!("{:#x}", { event.events }),
        _ => format!("errno:{}", io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}
