//! The path of a file within its filesystem, from `/proc/self/mountinfo`.

use glasspoll_reactor::sys;

/// The path of a file on this mount, from the root of the filesystem. None: the mount is in another namespace,
/// outside of the root directory, or detached.
pub fn path_within(mount: u64, path: &[u8]) -> Option<Vec<u8>> {
    // A thread may have a mount namespace of its own.
    let fd = sys::open(c"/proc/thread-self/mountinfo", libc::O_RDONLY, 0).ok()?;
    let fd = sys::move_high(fd);
    let mut text = Vec::new();
    let mut buf = [0; 4096];
    let mut found = None;
    while let Ok(read @ 1..) = sys::read(fd, &mut buf) {
        text.extend_from_slice(&buf[..read]);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            found = found.or_else(|| path_by(&text[..end], mount, path));
            text.drain(..=end);
        }
    }
    let _ = sys::close(fd);
    found
}

/// `path_within` for one line of mountinfo. None: the line is about another mount.
fn path_by(line: &[u8], mount: u64, path: &[u8]) -> Option<Vec<u8>> {
    // The mount's id, its parent's, the device, the root within the filesystem, the mount point.
    let mut fields = line.split(|byte| *byte == b' ');
    if std::str::from_utf8(fields.next()?).ok()?.parse() != Ok(mount) {
        return None;
    }
    let (mut within, at) = (unescaped(fields.nth(2)?), unescaped(fields.next()?));
    let rest = path.strip_prefix(at.strip_suffix(b"/").unwrap_or(&at))?;
    if !rest.is_empty() && rest[0] != b'/' {
        return None;
    }
    within.extend_from_slice(rest);
    Some(within)
}

/// Linux: `fs/seq_file.c:mangle_path` writes blanks, tabs, newlines and backslashes in octal.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                text.push(byte);
                rest = &after[3..];
            }
            _ => {
                text.push(*first);
                rest = after;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(line: &str, mount: u64, path: &str) -> Option<String> {
        path_by(line.as_bytes(), mount, path.as_bytes()).map(|path| String::from_utf8(path).expect("ASCII"))
    }

    #[test]
    fn a_path_goes_on_from_where_its_mount_begins() {
        let bound = "36 35 0:4 /sys /x\\040y rw,relatime - proc proc rw";
        assert_eq!(by(bound, 36, "/x y/kernel/hostname").as_deref(), Some("/sys/kernel/hostname"));
        assert_eq!(by(bound, 35, "/x y/kernel/hostname"), None);
        assert_eq!(by(bound, 36, "/x yz/kernel"), None);
        assert_eq!(by("7 1 0:4 / / rw - proc proc rw", 7, "/12/status").as_deref(), Some("//12/status"));
        assert_eq!(by("7 1 0:4 /uptime /u rw - proc proc rw", 7, "/u").as_deref(), Some("/uptime"));
        assert_eq!(by("7", 7, "/u"), None);
    }
}
