//! Parses the values of `GLASSPOLL_*`. The functions are pure; for a bad value they return what is allowed.
//!
//! `shim/tests/options.rs` and the fuzz target `options` compile this file, too, because no test can link the
//! library itself.

use glasspoll_record::ring_size;
use tracing_subscriber::filter::Targets;

/// A value, or what is allowed instead.
pub type Parsed<T> = Result<T, &'static str>;

/// Whose epoll answers the program's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Ours.
    Emulate,
    /// The kernel's; we record.
    Observe,
}

/// `GLASSPOLL_ENGINE`.
pub fn engine(value: &str) -> Parsed<Engine> {
    match value {
        "emulate" => Ok(Engine::Emulate),
        "observe" => Ok(Engine::Observe),
        _ => Err("'emulate' or 'observe'"),
    }
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// `GLASSPOLL_LOG`.
pub fn log(value: &str) -> Parsed<Option<Targets>> {
    value.parse().map(Some).map_err(|_| "a filter such as 'trace', 'glasspoll::flow=debug' or 'off'")
}

/// `GLASSPOLL_LOG_FORMAT`.
pub fn log_format(value: &str) -> Parsed<Format> {
    match value {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("'text' or 'json'"),
    }
}

/// `GLASSPOLL_DEVICE`: whether files send signals.
pub fn signals(value: &str) -> Parsed<bool> {
    match value {
        "auto" => Ok(true),
        "poll" => Ok(false),
        _ => Err("'auto' or 'poll'"),
    }
}

/// `GLASSPOLL_SPIN`: nanoseconds; None: as long as it pays.
pub fn spin(value: &str) -> Parsed<Option<u64>> {
    match value {
        "off" => Ok(Some(0)),
        "auto" => Ok(None),
        number => match number.parse() {
            Ok(us @ 0..=1_000_000u64) => Ok(Some(us * 1000)),
            _ => Err("'auto', 'off' or microseconds up to 1000000"),
        },
    }
}

/// `GLASSPOLL_HOT`.
pub fn hot(value: &str) -> Parsed<Option<usize>> {
    match value {
        "auto" => Ok(None),
        number => number.parse().map(Some).map_err(|_| "'auto' or a number, such as 0 or 512"),
    }
}

/// `GLASSPOLL_RING`: bytes; None: no record.
pub fn ring(value: &str) -> Parsed<Option<usize>> {
    match value {
        "off" => Ok(None),
        text => ring_size::parse(text).map(Some).ok_or("'off' or a size from 16K to 1G, such as 4M"),
    }
}

/// `GLASSPOLL_STACKS`: whether the call stack of each ADD is kept.
pub fn stacks(value: &str) -> Parsed<bool> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("'on' or 'off'"),
    }
}

/// `GLASSPOLL_READY`: whether ready times are exact.
pub fn exact(value: &str) -> Parsed<bool> {
    match value {
        "auto" => Ok(false),
        "exact" => Ok(true),
        _ => Err("'auto' or 'exact'"),
    }
}
