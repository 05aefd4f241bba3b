//! Finds the library that programs run on.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NAME: &str = "libglasspoll.so";

/// The library: GLASSPOLL_LIB, or beside this program, or in the `lib` beside its folder; for a debug build the
/// release beside it.
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
    let places = [folder.to_owned(), folder.join("../lib"), folder.join("../release")];
    let found = places.iter().map(|place| place.join(NAME)).find(|path| path.is_file());
    found.and_then(|path| path.canonicalize().ok()).ok_or_else(|| {
        format!(
            "{NAME} is neither in {} nor in ../lib of it: set GLASSPOLL_LIB to its path",
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
        fs::create_dir_all(dir.join("lib")).unwrap();
        assert!(near(&exe).unwrap_err().contains("GLASSPOLL_LIB"));
        fs::write(dir.join("lib").join(NAME), "").unwrap();
        assert!(near(&exe).unwrap().ends_with("lib/libglasspoll.so"));
        fs::write(dir.join("bin").join(NAME), "").unwrap();
        assert!(near(&exe).unwrap().ends_with("bin/libglasspoll.so"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
