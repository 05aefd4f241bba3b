//! The files in `/proc/PID/fdinfo`, which have a field a line.

/// A field of a file in `/proc/PID/fdinfo`.
pub fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}
