//! Finds the library that programs run on.
//!
//! An installation has it in a folder of its own, `../lib/glasspoll` beside the folder of the command: it is of no use
//! to a linker, so it does not lie among the libraries that are.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NAME: &str = "libglasspoll.so";

/// Where it is looked for, from the folder of this program on: in a build or an unpacked archive it is beside it, and
/// `scripts/install` and the packages have it in `lib/glasspoll`. The last is for a debug build.
const PLACES: [&str; 4] = ["", "../lib/glasspoll", "../lib", "../release"];

/// The library: GLASSPOLL_LIB, or where `PLACES` says.
pub fn find() -> Result<PathBuf, String> {
    let found = match env::var_os("GLASSPOLL_LIB") {
        Some(path) => named(path)?,
        None => near(&env::current_exe().map_err(|error| format!("where is this program? {error}"))?)?,
    };
    // LD_PRELOAD separates libraries by these characters, and has no way to quote them.
    if found.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b' ' | b':')) {
        return Err(format!(
            "{}: ld.so takes no path with a space or a colon: copy the library elsewhere and set GLASSPOLL_LIB",
            found.display()
        ));
    }
    Ok(found)
}

fn named(path: OsString) -> Result<PathBuf, String> {
    let found = Path::new(&path).canonicalize();
    match found {
        Ok(found) if found.is_file() => Ok(found),
        _ => Err(format!(
            "GLASSPOLL_LIB={} is no file: let it be the path of {NAME}",
            Path::new(&path).display()
        )),
    }
}

fn near(exe: &Path) -> Result<PathBuf, String> {
    let folder = exe.parent().unwrap_or(Path::new("/"));
    let found = PLACES.iter().map(|place| folder.join(place).join(NAME)).find(|path| path.is_file());
    found.and_then(|path| path.canonicalize().ok()).ok_or_else(|| {
        format!(
            "{NAME} is neither in {} nor in ../lib/glasspoll of it: scripts/install in glasspoll's sources puts both \
             in place (cargo install has no library), or set GLASSPOLL_LIB to its path",
            folder.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_library_is_found_beside_the_program_or_in_lib() {
        let dir = env::temp_dir().join(format!("glasspoll-library-{}", std::process::id()));
        let exe = dir.join("bin/glasspoll");
        fs::create_dir_all(dir.join("bin")).unwrap();
        fs::create_dir_all(dir.join("lib/glasspoll")).unwrap();
        let refusal = near(&exe).unwrap_err();
        assert!(refusal.contains("GLASSPOLL_LIB") && refusal.contains("cargo install"), "{refusal}");
        for place in ["lib", "lib/glasspoll", "bin"] {
            fs::write(dir.join(place).join(NAME), "").unwrap();
            assert_eq!(near(&exe).unwrap(), dir.canonicalize().unwrap().join(place).join(NAME));
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
