//! Why ld.so preloads nothing into a program, or cannot start it with our library, as far as the files show.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::program::elf::{self, Loading, Machine};

const S_ISUID: u32 = 0o4000;
const S_ISGID: u32 = 0o2000;
/// How many scripts may run each other. Linux: `fs/exec.c:exec_binprm`.
const SCRIPTS: usize = 5;
/// Linux: `BINPRM_BUF_SIZE`, of which a script's first line may take all.
const HEAD: u64 = 256;

/// The reason why nothing is preloaded, in words; None if the files show none. The program runs all the same.
pub fn why_not(program: &OsStr) -> Option<String> {
    let path = find(program)?;
    let mode = fs::metadata(&path).ok()?.permissions().mode();
    if mode & (S_ISUID | S_ISGID) != 0 {
        return Some("it is set-user-ID or set-group-ID, and nothing is preloaded into such programs".into());
    }
    let file = File::open(&path).ok()?;
    (elf::loading(&file)? == Loading::Alone && !is_loader(&path))
        .then(|| "it is linked statically, and nothing can be preloaded into it".into())
}

/// Why the program's loader cannot load `library`, in words; None if the files show no reason. With the library it
/// would not start, or print error lines of its own.
pub fn loader_refuses(program: &OsStr, library: &Path) -> Option<String> {
    let path = interpreter_of_scripts(find(program)?)?;
    let library = File::open(library).ok()?;
    let (ours, its) = (Machine::of(&head(&library))?, Machine::of(&head(&File::open(&path).ok()?))?);
    if ours != its {
        return Some(format!("it is a program for {}, and the library is for {}", its.name(), ours.name()));
    }
    let needed = elf::glibc_needed(&library)?;
    let needs = format!("the library needs glibc {}.{} or later", needed.0, needed.1);
    let loader = match elf::loading(&File::open(&path).ok()?)? {
        Loading::By(loader) => loader,
        Loading::Alone if is_loader(&path) => path,
        Loading::Alone => return None,
    };
    if is_musl(&loader) {
        return Some(format!("its libc is musl ({}), and {needs}", loader.display()));
    }
    let libc = libc_beside(&loader)?;
    let version = elf::glibc_version(&File::open(&libc).ok()?)?;
    (version < needed).then(|| {
        let name = release(&libc).unwrap_or_else(|| format!("{}.{}", version.0, version.1));
        format!("its glibc is {name} ({}), and {needs}", libc.display())
    })
}

/// Why the library cannot be in a process that runs, in words; None if its program shows no reason. Of a process in a
/// container only the program itself is looked at, for its files have other paths here.
pub fn why_not_in(pid: u32) -> Option<String> {
    let exe = PathBuf::from(format!("/proc/{pid}/exe"));
    match elf::loading(&File::open(&exe).ok()?)? {
        Loading::Alone if is_loader(&fs::read_link(&exe).ok()?) => None,
        Loading::Alone => Some("It is linked statically, so the library cannot be loaded into it".into()),
        Loading::By(loader) if is_musl(&loader) => {
            Some(format!("Its libc is musl ({}), so the library cannot be loaded into it", loader.display()))
        }
        Loading::By(_) => None,
    }
}

fn is_musl(loader: &Path) -> bool {
    named(loader).starts_with("ld-musl-")
}

/// The version that a glibc prints: its newest symbols may be older than it is.
fn release(libc: &Path) -> Option<String> {
    const BANNER: &[u8] = b"stable release version ";
    let bytes = fs::read(libc).ok()?;
    let at = bytes.windows(BANNER.len()).position(|window| window == BANNER)? + BANNER.len();
    let digits = bytes[at..].iter().take(8).take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let text: String = digits.map(|byte| char::from(*byte)).collect();
    Some(text.trim_end_matches('.').to_owned()).filter(|text| !text.is_empty())
}

/// ld.so takes the libc from its own folder, unless an option says otherwise.
fn libc_beside(loader: &Path) -> Option<PathBuf> {
    let beside = |loader: &Path| loader.with_file_name("libc.so.6");
    [beside(&loader.canonicalize().ok()?), beside(loader)].into_iter().find(|path| path.is_file())
}

/// Whether this is a loader, which runs its argument: `ld-linux-x86-64.so.2 PROGRAM`.
fn is_loader(path: &Path) -> bool {
    let is_one = |path: &Path| named(path).starts_with("ld-") && named(path).contains(".so");
    is_one(path) || path.canonicalize().is_ok_and(|path| is_one(&path))
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The program that a script is run by; a program is run by itself.
fn interpreter_of_scripts(mut path: PathBuf) -> Option<PathBuf> {
    for _ in 0..SCRIPTS {
        let head = head(&File::open(&path).ok()?);
        let Some(line) = head.strip_prefix(b"#!") else { return Some(path) };
        let line = line.split(|byte| *byte == b'\n').next()?;
        let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        path = Path::new(OsStr::from_bytes(words.next()?)).to_owned();
    }
    None
}

fn head(file: &File) -> Vec<u8> {
    let mut head = Vec::new();
    // A file that cannot be read is no program.
    let _ = file.take(HEAD).read_to_end(&mut head);
    head
}

/// The file that execvp(3) runs.
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
    use crate::program::elf::made;

    const HERE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("glasspoll-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, bytes).unwrap();
            path
        }

        fn path(&self, name: &str) -> String {
            self.0.join(name).to_str().unwrap().to_owned()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

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
        let folder = Folder::new("static");
        // This file has no program header that names a loader.
        let mut bytes = made::program(HERE, "/lib/ld.so");
        bytes[64] = 1;
        let path = folder.write("program", &bytes);
        assert!(why_not(path.as_os_str()).unwrap().contains("statically"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
        assert!(why_not(path.as_os_str()).unwrap().contains("set-user-ID"));
        let loader = folder.write("ld-linux-x86-64.so.2", &bytes);
        assert_eq!(why_not(loader.as_os_str()), None);
    }

    #[test]
    fn a_loader_that_cannot_use_the_library_is_named() {
        let folder = Folder::new("loaders");
        let library =
            folder.write("ours.so", &made::library(HERE, false, &["GLIBC_2.2.5", "GLIBC_2.34", "GCC_3.0"]));
        let refusal = |program: &Path| loader_refuses(program.as_os_str(), &library);

        let musl = folder.write("musl", &made::program(HERE, "/lib/ld-musl-x86_64.so.1"));
        let why = refusal(&musl).unwrap();
        assert_eq!(
            why,
            "its libc is musl (/lib/ld-musl-x86_64.so.1), and the library needs glibc 2.34 or later"
        );
        let script = folder.write("script", format!("#! {} -x\n", musl.display()).as_bytes());
        assert_eq!(refusal(&script), Some(why));

        let foreign = folder.write("foreign", &made::program(243, "/lib/ld.so"));
        assert!(refusal(&foreign).unwrap().starts_with("it is a program for RISC-V, and the library is for"));

        fs::create_dir_all(folder.0.join("lib")).unwrap();
        folder.write("lib/ld-linux-x86-64.so.2", &made::program(HERE, ""));
        let glibc = folder.write("glibc", &made::program(HERE, &folder.path("lib/ld-linux-x86-64.so.2")));
        assert_eq!(refusal(&glibc), None);
        for (newest, is_old) in
            [("GLIBC_2.4", true), ("GLIBC_2.33", true), ("GLIBC_2.34", false), ("GLIBC_2.41", false)]
        {
            let versions = ["libc.so.6", "GLIBC_2.2.5", newest, "GLIBC_2.3", "GLIBC_PRIVATE"];
            folder.write("lib/libc.so.6", &made::library(HERE, true, &versions));
            let why = refusal(&glibc);
            assert_eq!(why.is_some(), is_old, "{newest}: {why:?}");
            if let Some(why) = why {
                let version = newest.strip_prefix("GLIBC_").unwrap();
                assert!(why.starts_with(&format!("its glibc is {version} (")), "{why}");
            }
        }
        // If the libc says which release it is, the reason names that release.
        let old = made::library(HERE, true, &["GLIBC_2.30"]);
        folder.write("lib/libc.so.6", &[&old[..], b"stable release version 2.31.\n"].concat());
        assert!(refusal(&glibc).unwrap().starts_with("its glibc is 2.31 ("));
    }

    #[test]
    fn a_file_cut_short_anywhere_has_no_reason_and_harms_nothing() {
        let folder = Folder::new("cut");
        let library = made::library(HERE, false, &["GLIBC_2.34"]);
        let program = made::program(HERE, "/lib/ld-musl-x86_64.so.1");
        for length in 0..library.len().max(program.len()) {
            let (library_is_whole, program_is_whole) = (length >= library.len(), length >= program.len());
            let ours = folder.write("ours.so", &library[..length.min(library.len())]);
            let its = folder.write("its", &program[..length.min(program.len())]);
            if !library_is_whole || !program_is_whole {
                assert_eq!(loader_refuses(its.as_os_str(), &ours), None, "{length}");
            }
        }
    }

    #[test]
    fn the_loaders_of_this_machine_can_use_a_library_made_here() {
        // Any library that was linked on this machine does; to the loader, this program is one.
        let this = env::current_exe().unwrap();
        assert!(elf::glibc_needed(&File::open(&this).unwrap()).is_some_and(|needed| needed > (2, 3)));
        assert_eq!(loader_refuses(OsStr::new("sh"), &this), None);
        assert_eq!(loader_refuses(this.as_os_str(), &this), None);
    }
}
