//! Which loaded objects are parts of glibc, and where their code lies.

use std::ops::{ControlFlow, Range};

use super::objects::{self, Object};

/// libc itself.
const LIBC: &[u8] = b"libc.so.";
/// Before glibc 2.34 these have functions of their own, among them `read` and `close`.
const OTHER_PARTS: [&[u8]; 4] = [b"libpthread.so.", b"librt.so.", b"libdl.so.", b"ld-linux"];

/// Whether the object is libc.
pub fn is_libc(object: &Object) -> bool {
    object.file_name().starts_with(LIBC)
}

/// Whether the object is a part of glibc that calls only itself, or the vdso.
pub fn is_part(object: &Object) -> bool {
    let name = object.file_name();
    // SAFETY: getauxval has no preconditions.
    let vdso = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    is_libc(object) || OTHER_PARTS.iter().any(|part| name.starts_with(part)) || object.holds_code(vdso)
}

/// The code of glibc.
pub struct Code(Vec<Range<usize>>);

impl Code {
    /// Where it lies now. glibc stays loaded.
    pub fn find() -> Self {
        let mut code = Vec::new();
        objects::each(None, &mut |object| {
            if is_part(object) {
                code.extend(object.code());
            }
            ControlFlow::Continue(())
        });
        Self(code)
    }

    /// Whether a function lies there.
    pub fn holds(&self, function: usize) -> bool {
        self.0.iter().any(|range| range.contains(&function))
    }
}
