//! `GLASSPOLL_*` from the environment. A bad value is said in one line, and the default is used.
//!
//! | variable | values | default |
//! |---|---|---|
//! | `GLASSPOLL_LOG` | a filter of tracing-subscriber's `Targets`: `trace`, `glasspoll::flow=debug,…`, `off` | off |
//! | `GLASSPOLL_LOG_FILE` | a path; `%p` becomes the process id | stderr |
//! | `GLASSPOLL_LOG_FORMAT` | `text`, `json` | `text` |
//! | `GLASSPOLL_DEVICE` | `auto`, `poll` (no signals: every file is polled) | `auto` |
//! | `GLASSPOLL_HOT` | `auto`, or how many items of a set are hot at most, busy or not; 0: none | `auto` |
//! | `GLASSPOLL_RING` | the size of the record in memory: bytes, `512K`, `4M`, from 16K to 1G; `off` | `1M` |
//! | `GLASSPOLL_READY` | `auto`, `exact`: a helper thread watches all the time, so that it is known when a file became ready | `auto` |
//! | `GLASSPOLL_COLLECT` | a socket's path: set by `glasspoll run` | none |
//! | `GLASSPOLL_SPIN` | how long a wait looks before it sleeps: `off`, `auto`, microseconds up to 1000000 | off |
//!
//! In secure-execution mode (setuid and the like) nothing is read.

use std::ffi::{CStr, CString};

use glasspoll_reactor::sys;
use tracing_subscriber::filter::Targets;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// What the user asked for.
#[derive(Debug)]
pub struct Options {
    pub log: Option<Targets>,
    pub log_file: Option<String>,
    pub log_format: Format,
    pub signals: bool,
    /// How long a wait looks before it sleeps, in nanoseconds; None: as it pays.
    pub spin_ns: Option<u64>,
    /// How many items of a set are hot at most, whether it is busy or not.
    pub hot: Option<usize>,
    /// The bytes of the record; None: there is none.
    pub ring: Option<usize>,
    /// Somebody watches the devices all the time.
    pub exact: bool,
    /// Who gathers records.
    pub collect: Option<String>,
}

impl Options {
    /// Reads the environment.
    pub fn read() -> Self {
        Self {
            log: choose("GLASSPOLL_LOG", None, |value| {
                let parsed = value.parse::<Targets>();
                parsed.map(Some).map_err(|_| "a filter such as 'trace', 'glasspoll::flow=debug' or 'off'")
            }),
            log_file: choose("GLASSPOLL_LOG_FILE", None, |value| Ok(Some(value.to_owned()))),
            log_format: choose("GLASSPOLL_LOG_FORMAT", Format::Text, |value| match value {
                "text" => Ok(Format::Text),
                "json" => Ok(Format::Json),
                _ => Err("'text' or 'json'"),
            }),
            signals: choose("GLASSPOLL_DEVICE", true, |value| match value {
                "auto" => Ok(true),
                "poll" => Ok(false),
                _ => Err("'auto' or 'poll'"),
            }),
            spin_ns: choose("GLASSPOLL_SPIN", Some(0), |value| match value {
                "off" => Ok(Some(0)),
                "auto" => Ok(None),
                number => match number.parse() {
                    Ok(us @ 0..=1_000_000u64) => Ok(Some(us * 1000)),
                    _ => Err("'auto', 'off' or microseconds up to 1000000"),
                },
            }),
            hot: choose("GLASSPOLL_HOT", None, |value| match value {
                "auto" => Ok(None),
                number => number.parse().map(Some).map_err(|_| "'auto' or a number, such as 0 or 512"),
            }),
            ring: choose("GLASSPOLL_RING", Some(1 << 20), |value| match value {
                "off" => Ok(None),
                size => parse_size(size)
                    .filter(|bytes| (16 << 10..=1 << 30).contains(bytes))
                    .map(Some)
                    .ok_or("'off' or a size from 16K to 1G, such as 4M"),
            }),
            exact: choose("GLASSPOLL_READY", false, |value| match value {
                "auto" => Ok(false),
                "exact" => Ok(true),
                _ => Err("'auto' or 'exact'"),
            }),
            collect: choose("GLASSPOLL_COLLECT", None, |value| Ok(Some(value.to_owned()))),
        }
    }
}

/// Bytes, or with K, M or G at the end so many times 1024, 1024² or 1024³.
fn parse_size(text: &str) -> Option<usize> {
    let (digits, shift) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 10),
        None => match (text.strip_suffix(['M', 'm']), text.strip_suffix(['G', 'g'])) {
            (Some(digits), _) => (digits, 20),
            (_, Some(digits)) => (digits, 30),
            _ => (text, 0),
        },
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

fn choose<T>(name: &str, default: T, parse: impl FnOnce(&str) -> Result<T, &'static str>) -> T {
    let Some(value) = variable(name) else { return default };
    if value.is_empty() {
        return default;
    }
    parse(&value).unwrap_or_else(|allowed| {
        complain(&format!("{name}={value:?} is not valid: use {allowed}"));
        default
    })
}

fn variable(name: &str) -> Option<String> {
    extern "C" {
        fn secure_getenv(name: *const libc::c_char) -> *const libc::c_char;
    }
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a NUL; the value is copied before anybody can change it.
    let value = unsafe {
        let value = secure_getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    };
    value.map(|value| value.to_string_lossy().into_owned())
}

/// One line on stderr.
pub fn complain(what: &str) {
    let line = format!("glasspoll: {what}\n");
    let _ = sys::write(2, line.as_bytes());
}
