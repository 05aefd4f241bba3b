//! `GLASSPOLL_*` from the environment. For a bad value we print one line, and use the default.
//!
//! | variable | values | default |
//! |---|---|---|
//! | `GLASSPOLL_ENGINE` | `emulate`: our epoll answers; `observe`: the kernel's epoll answers, and we record | `emulate` |
//! | `GLASSPOLL_LOG` | a filter of tracing-subscriber's `Targets`: `trace`, `glasspoll::flow=debug,…`, `off` | off |
//! | `GLASSPOLL_LOG_FILE` | a path; `%p` becomes the process id | stderr |
//! | `GLASSPOLL_LOG_FORMAT` | `text`, `json` | `text` |
//! | `GLASSPOLL_DEVICE` | `auto`, `poll` (no signals: every file is polled) | `auto` |
//! | `GLASSPOLL_HOT` | `auto`, or the maximum of hot items in a set, busy or not; 0: none | `auto` |
//! | `GLASSPOLL_RING` | the size of the record in memory: bytes, `512K`, `4M`, from 16K to 1G; `off` | `1M` |
//! | `GLASSPOLL_STACKS` | `on`, `off`: whether the record keeps the call stack of each EPOLL_CTL_ADD | `off` |
//! | `GLASSPOLL_READY` | `auto`, `exact`: a helper thread watches all the time, so that we know when a file became ready | `auto` |
//! | `GLASSPOLL_COLLECT` | a socket's path: set by `glasspoll run` | none |
//! | `GLASSPOLL_CHAOS` | legal chaos, such as `all,seed=7`: the words of `glasspoll_record::chaos` | none |
//! | `GLASSPOLL_SPIN` | how long a wait polls before it sleeps: `off`, `auto`, microseconds up to 1000000 | off |
//!
//! In secure-execution mode (setuid and the like) we read nothing.

use std::ffi::{CStr, CString};
use std::mem;

use glasspoll_reactor::hot::Limits;
use glasspoll_reactor::shared::Config;
use glasspoll_reactor::sys;
use glasspoll_record::chaos::Spec;
use tracing_subscriber::filter::Targets;

mod parse;

pub use parse::{Engine, Format};

/// What the user asked for.
#[derive(Debug)]
pub struct Options {
    /// Whose epoll answers the program's calls.
    pub engine: Engine,
    pub log: Option<Targets>,
    pub log_file: Option<String>,
    pub log_format: Format,
    pub signals: bool,
    /// How long a wait polls before it sleeps, in nanoseconds. None: as long as it pays.
    pub spin_ns: Option<u64>,
    /// The maximum of hot items in a set, busy or not.
    pub hot: Option<usize>,
    /// The bytes of the record. None: no record.
    pub ring: Option<usize>,
    /// Whether the record keeps the call stack of each ADD.
    pub stacks: bool,
    /// Whether a thread watches the devices all the time.
    pub exact: bool,
    /// The socket of the collector of records.
    pub collect: Option<String>,
    /// The chaos that waits are subject to.
    pub chaos: Option<Spec>,
}

impl Options {
    /// Reads the environment.
    pub fn read() -> Self {
        let options = Self {
            engine: choose("GLASSPOLL_ENGINE", Engine::Emulate, parse::engine),
            log: choose("GLASSPOLL_LOG", None, parse::log),
            log_file: choose("GLASSPOLL_LOG_FILE", None, |value| Ok(Some(value.to_owned()))),
            log_format: choose("GLASSPOLL_LOG_FORMAT", Format::Text, parse::log_format),
            signals: choose("GLASSPOLL_DEVICE", true, parse::signals),
            spin_ns: choose("GLASSPOLL_SPIN", Some(0), parse::spin),
            hot: choose("GLASSPOLL_HOT", None, parse::hot),
            ring: choose("GLASSPOLL_RING", Some(1 << 20), parse::ring),
            stacks: choose("GLASSPOLL_STACKS", false, parse::stacks),
            exact: choose("GLASSPOLL_READY", false, parse::exact),
            collect: choose("GLASSPOLL_COLLECT", None, |value| Ok(Some(value.to_owned()))),
            chaos: chosen_chaos(),
        };
        options.within_the_engine()
    }

    /// The options of an attach: words such as `ring=1M;log=trace`. None: a word is not one, or its value is bad.
    pub fn of_attach(words: &str) -> Option<Self> {
        let mut options = Self {
            engine: Engine::Observe,
            log: None,
            log_file: None,
            log_format: Format::Text,
            signals: false,
            spin_ns: Some(0),
            hot: None,
            ring: Some(1 << 20),
            stacks: false,
            exact: false,
            collect: None,
            chaos: None,
        };
        for word in words.split(';').filter(|word| !word.is_empty()) {
            match word.split_once('=')? {
                ("log", value) => options.log = parse::log(value).ok()?,
                ("log_file", value) => options.log_file = Some(value.to_owned()),
                ("log_format", value) => options.log_format = parse::log_format(value).ok()?,
                ("ring", value) => options.ring = parse::ring(value).ok()?,
                ("stacks", value) => options.stacks = parse::stacks(value).ok()?,
                // `attach` reads it.
                ("look", _) => {}
                _ => return None,
            }
        }
        Some(options)
    }

    /// Drops what only the emulation can do, and says so. The options of its devices are dropped silently: they change
    /// no answer.
    fn within_the_engine(mut self) -> Self {
        if self.engine == Engine::Observe {
            if self.chaos.take().is_some() {
                complain(
                    "there is no chaos: the kernel's epoll answers, and chaos needs GLASSPOLL_ENGINE=emulate",
                );
            }
            if mem::take(&mut self.exact) {
                complain(
                    "GLASSPOLL_READY=exact needs GLASSPOLL_ENGINE=emulate: here nothing but the kernel watches the \
                     files, so a time of becoming ready is exact only where a wait slept",
                );
            }
        }
        self
    }
}

impl Options {
    /// The options that the reactor needs.
    pub fn config(&self) -> Config {
        let hot = match self.hot {
            // While a waiting thread is busy, nothing watches the items that only this thread polls.
            _ if self.exact => Limits { most: 0, always: true },
            Some(most) => Limits { most, always: true },
            None => Limits::default(),
        };
        Config { hot, spin_ns: self.spin_ns, chaos: self.chaos.clone() }
    }
}

/// A function of its own, because the error message of a bad value is longer than a list of allowed values.
fn chosen_chaos() -> Option<Spec> {
    let value = variable("GLASSPOLL_CHAOS").filter(|value| !value.is_empty())?;
    value.parse().map_err(|error| complain(&format!("GLASSPOLL_CHAOS: {error}; there is no chaos"))).ok()
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
    // SAFETY: the name ends with a NUL; the value is copied before another thread can change it.
    let value = unsafe {
        let value = secure_getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    };
    value.map(|value| value.to_string_lossy().into_owned())
}

/// Prints one line to stderr.
pub fn complain(what: &str) {
    let line = format!("glasspoll: {what}\n");
    let _ = sys::write_unsignalled(2, line.as_bytes());
}
