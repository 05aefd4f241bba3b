//! The names that an attached library takes over, with our functions. They come from our own table of symbols, so no
//! name that we interpose is forgotten.

use std::ffi::CString;
use std::ops::ControlFlow;

use super::glibc::Code;
use super::objects;
use super::tables::Tables;

/// What an observer of the kernel's epoll leaves to libc, and why. A `*` stands for any end of the name.
const LEFT: [(&[&str], &str); 6] = [
    (
        &[
            "sig*",
            "__sig*",
            "signal*",
            "bsd_signal",
            "sysv_signal",
            "__sysv_signal",
            "pthread_sigmask",
            "__libc_current_sigrtmax",
        ],
        "it uses no signal of the program's: it hides none, and runs no handler itself",
    ),
    (&["pthread_cancel"], "no wait is its own: the kernel's waits are libc's cancellation points"),
    (
        &["poll", "ppoll", "select", "pselect", "__poll_chk", "__ppoll_chk"],
        "the kernel's sets can be polled as they are",
    ),
    (
        &["getrlimit*", "setrlimit*", "prlimit*", "setuid", "seteuid", "setreuid", "setresuid"],
        "it arms no file, and raises the limit only while it makes the record",
    ),
    (
        &["mmap", "mmap64", "munmap", "mprotect", "pkey_mprotect", "mremap", "madvise", "shmat"],
        "it stores nothing in the program's memory",
    ),
    (
        &["__register_atfork", "glasspoll_*"],
        "our handlers are not the first in any case; and no name of our own is libc's",
    ),
];

/// A name, and what stands for it.
pub struct Name {
    text: Vec<u8>,
    /// Our function.
    pub ours: usize,
    /// Whether the loader would find glibc's function: no other library stands before it.
    pub is_glibcs: bool,
}

/// The names, in order.
pub struct Names(Vec<Name>);

impl Names {
    /// All that we take over.
    pub fn find_all(glibc: &Code) -> Self {
        let mut names = Vec::new();
        objects::each(None, &mut |object| {
            if !object.is_ours() {
                return ControlFlow::Continue(());
            }
            if let Some(tables) = Tables::of(object) {
                for function in tables.functions().filter(|function| !is_left(function.name)) {
                    let text = function.name.to_vec();
                    names.push(Name { text, ours: function.at, is_glibcs: false });
                }
            }
            ControlFlow::Break(())
        });
        for name in &mut names {
            // Not in the walk above: the loader's list is locked there.
            name.is_glibcs = first_of(&name.text).is_some_and(|function| glibc.holds(function));
        }
        names.sort_unstable_by(|one, other| one.text.cmp(&other.text));
        Self(names)
    }

    /// The name, if it is one of them.
    pub fn get(&self, text: &[u8]) -> Option<&Name> {
        let at = self.0.binary_search_by(|name| name.text.as_slice().cmp(text)).ok()?;
        self.0.get(at)
    }
}

fn is_left(name: &[u8]) -> bool {
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == pattern.as_bytes(),
    };
    LEFT.iter().any(|(patterns, _)| patterns.iter().any(is))
}

/// The function that the loader finds first for a name.
fn first_of(name: &[u8]) -> Option<usize> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then(|| found.expose_provenance())
}
