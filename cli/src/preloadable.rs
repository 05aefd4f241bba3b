//! Why ld.so will not preload anything into a program, as far as its file tells.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

const S_ISUID: u32 = 0o4000;
const S_ISGID: u32 = 0o2000;
/// Linux: `PT_INTERP`, the program header of what a dynamic loader is needed for.
const PT_INTERP: u32 = 3;

/// The reason, in words; None if there is none to be seen.
pub fn why_not(program: &OsStr) -> Option<String> {
    let path = find(program)?;
    let mode = fs::metadata(&path).ok()?.permissions().mode();
    if mode & (S_ISUID | S_ISGID) != 0 {
        return Some("it is set-user-ID or set-group-ID, and nothing is preloaded into such programs".into());
    }
    let mut file = File::open(&path).ok()?;
    let mut head = [0; 64];
    file.read_exact(&mut head).ok()?;
    (!has_interpreter(&file, &head)?)
        .then(|| "it is linked statically, and nothing can be preloaded into it".into())
}

/// None if it is no program of 64 bits: a script, say, whose interpreter may well be preloadable.
pub fn has_interpreter(file: &File, head: &[u8; 64]) -> Option<bool> {
    if &head[..5] != b"\x7fELF\x02" {
        return None;
    }
    let half = |at: usize| u16::from_ne_bytes([head[at], head[at + 1]]);
    let headers = u64::from_ne_bytes(head[32..40].try_into().ok()?);
    let (size, count) = (u64::from(half(54)), u64::from(half(56)));
    let is_interpreter = |n| {
        let mut kind = [0; 4];
        let at = headers.checked_add(n * size)?;
        file.read_exact_at(&mut kind, at).ok()?;
        Some(u32::from_ne_bytes(kind) == PT_INTERP)
    };
    for n in 0..count {
        if is_interpreter(n)? {
            return Some(true);
        }
    }
    Some(false)
}

/// The file that execvp(3) takes.
fn find(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_dynamically_or_no_program_at_all_has_no_reason() {
        let this = env::current_exe().unwrap();
        assert_eq!(why_not(this.as_os_str()), None);
        assert_eq!(why_not(OsStr::new("sh")), None);
        assert_eq!(why_not(OsStr::new("/nowhere/at/all")), None);
        assert_eq!(why_not(OsStr::new("/dev/null")), None);
    }

    #[test]
    fn a_static_program_and_a_set_user_id_one_have_theirs() {
        let path = env::temp_dir().join(format!("glasspoll-static-{}", std::process::id()));
        let mut head = [0; 64];
        head[..5].copy_from_slice(b"\x7fELF\x02");
        fs::write(&path, head).unwrap();
        assert!(why_not(path.as_os_str()).unwrap().contains("statically"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
        assert!(why_not(path.as_os_str()).unwrap().contains("set-user-ID"));
        fs::remove_file(&path).unwrap();
    }
}
