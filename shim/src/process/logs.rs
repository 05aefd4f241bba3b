//! The log: a `tracing-subscriber` that writes text or JSON lines to stderr or a file.
//!
//! The first line opens the file, with mode 0600 and for appending; each forked child opens it again. Its descriptor is
//! ours, and out of the program's way. Each line is one write; a line that cannot be written is lost.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use glasspoll_reactor::sys;
use once_cell::sync::OnceCell;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Layer;

use crate::fdtable;
use crate::process::log_file;
use crate::process::options::{complain, Format, Options};

static PATH: OnceCell<String> = OnceCell::new();
/// The open log file; -1: not open yet.
static FILE: AtomicI32 = AtomicI32::new(-1);

/// Whether the last line was written in part: then the next one begins with a newline.
static CUT: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy)]
struct Writer;

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let file = descriptor();
        if CUT.swap(false, Ordering::Relaxed) {
            let _ = sys::write_unsignalled(file, b"\n");
        }
        // The program must not notice a full disk or a closed pipe: the line is lost.
        if sys::write_unsignalled(file, line).is_ok_and(|written| written < line.len()) {
            CUT.store(true, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

fn descriptor() -> i32 {
    let Some(path) = PATH.get() else { return 2 };
    let open = FILE.load(Ordering::Acquire);
    if open >= 0 {
        return open;
    }
    let path = path.replace("%p", &sys::getpid().to_string());
    let opened = std::ffi::CString::new(path.as_str()).ok().and_then(|path| log_file::open(&path).ok());
    match opened {
        Some(fd) => {
            let fd = sys::move_high(fd);
            fdtable::protect(fd);
            FILE.store(fd, Ordering::Release);
            fd
        }
        None => {
            complain_of_path(&path);
            FILE.store(2, Ordering::Release);
            2
        }
    }
}

fn complain_of_path(path: &str) {
    let what = "cannot be opened: use a path that can be written, to a file of yours; logging to stderr";
    complain(&format!("GLASSPOLL_LOG_FILE={path:?} {what}"));
}

/// Whether the directory of a log file exists.
fn is_plausible(path: &str) -> bool {
    let folder = match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => ".",
    };
    let Ok(folder) = std::ffi::CString::new(folder) else { return false };
    let opened = sys::open(&folder, libc::O_PATH | libc::O_DIRECTORY, 0);
    opened.map(sys::close).is_ok()
}

/// Starts the log, if the options ask for it.
pub fn start(options: &Options) {
    if let Some(path) = &options.log_file {
        let _ = PATH.set(path.clone());
    }
    let Some(filter) = options.log.clone() else {
        // We write nothing, but a path that cannot work is an error all the same.
        if options.log_file.as_deref().is_some_and(|path| !is_plausible(path)) {
            complain_of_path(options.log_file.as_deref().unwrap_or(""));
        }
        return;
    };
    if options.log_file.is_some() {
        descriptor();
    }
    let layer = tracing_subscriber::fmt::layer().with_writer(Writer).with_ansi(false);
    let layer = match options.log_format {
        Format::Text => layer.boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// In a forked child: if the name contains the pid, the child closes its parent's file.
pub fn forked() {
    if PATH.get().is_some_and(|path| path.contains("%p")) {
        let old = FILE.swap(-1, Ordering::AcqRel);
        if old > 2 {
            fdtable::unprotect(old);
            let _ = sys::close(old);
        }
    }
}

/// Another fd is the log's now.
pub fn moved(from: i32, to: i32) {
    let _ = FILE.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
}

/// The log's fd, if it is one of ours.
pub fn own_descriptor() -> Option<i32> {
    Some(FILE.load(Ordering::Acquire)).filter(|fd| *fd > 2)
}
