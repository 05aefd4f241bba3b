//! What attaching reads of a process that may be made to deceive: objects in its memory, its mappings, the calls of its
//! threads, its seccomp filter. The first byte says which.

use super::Bytes;
use crate::attach::{maps, memory::Memory, object::Object, seccomp, threads};

/// Where the image lies.
const BASE: u64 = 0x7f00_0000_0000;

struct Image<'a>(&'a [u8]);

impl Memory for Image<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(at) = address.checked_sub(BASE).and_then(|at| usize::try_from(at).ok()) else {
            return false;
        };
        // Behind its end the memory is zero for a while, so that a short input has whole pages.
        if at.checked_add(into.len()).is_none_or(|end| end > self.0.len() + (1 << 16)) {
            return false;
        }
        for (to, at) in into.iter_mut().zip(at..) {
            *to = self.0.get(at).copied().unwrap_or(0);
        }
        true
    }
}

/// Reads it.
pub fn objects(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    match bytes.byte() % 3 {
        0 => {
            let Some(object) = Object::read(&Image(bytes.0), BASE) else { return };
            for name in ["dlopen", "__errno_location", "", "_rtld_global"] {
                let _ = (object.function(name), object.data(name));
            }
            assert!(object.segments.iter().all(|segment| segment.slack().start <= segment.slack().end));
        }
        1 => {
            let text = String::from_utf8_lossy(bytes.0);
            let all = maps::parse(bytes.0);
            for object in maps::objects(&all) {
                assert!(maps::at(&all, object.base).is_some());
                let _ = (object.is_glibc(), object.is_musl(), object.is_loader());
            }
            if let Some((number, arguments)) = threads::parse(&text) {
                threads::rank(std::process::id(), number, &arguments);
            }
        }
        _ => {
            let mut filter = Vec::new();
            while !bytes.0.is_empty() {
                let (head, tail) = (bytes.word().to_le_bytes(), [bytes.byte(), bytes.byte()]);
                let code = u16::from_le_bytes([head[0], head[1]]);
                let k = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
                filter.push(libc::sock_filter { code, jt: tail[0], jf: tail[1], k });
            }
            seccomp::forbids(&filter);
        }
    }
}
