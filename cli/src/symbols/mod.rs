//! What lies at an address of a program's code: function, file and line.
//!
//! ```ignore
//! let mut symbols = Symbols::new();
//! // In a module, whose process may have ended:
//! let frames = symbols.in_module(&Module { path, build_id }, Some(pid), At::Virtual(address - 1));
//! // In memory that no file has:
//! let frame = symbols.of_no_module(pid, address - 1);
//! ```
//!
//! An address that a call returns to is that of the next instruction: look up one less. The answer has the innermost
//! inlined function first and the function itself last, and is never empty. Nothing is looked up in the network.
//!
//! The files belong to other processes, and may be of any content: only regular files are opened, and a file of another
//! build than the one that ran is not used.

mod module;
mod perf_map;

use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolized, Symbolizer};

use crate::text::units::clean;
pub use module::{in_root, Module};
use perf_map::PerfMap;

/// Where in a module's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// By the addresses of its ELF headers: an address minus what the loader added to them.
    Virtual(u64),
    /// By the offset in the file.
    #[allow(dead_code, reason = "for what a live process has mapped")]
    File(u64),
}

impl At {
    fn number(self) -> u64 {
        match self {
            At::Virtual(number) | At::File(number) => number,
        }
    }
}

/// A function at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its name, demangled, without control characters.
    pub function: Option<String>,
    /// The source.
    pub file: Option<String>,
    pub line: Option<u32>,
    /// The module's path; none for code that no file has, such as that of a JIT compiler.
    pub module: Option<String>,
    /// Where in the module: by virtual address or file offset, as was asked; without one, the address.
    pub offset: u64,
    /// It was inlined into the next one.
    pub is_inlined: bool,
}

impl Frame {
    /// In words: `function (file:line)`, `function in module`, `module+0x1234` or `0x7f0012345678`.
    pub fn words(&self) -> String {
        let module = self.module.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
        match (&self.function, &self.file, self.line, module) {
            (Some(function), Some(file), Some(line), _) => format!("{function} ({file}:{line})"),
            (Some(function), Some(file), None, _) => format!("{function} ({file})"),
            (Some(function), None, _, Some(module)) => format!("{function} in {module}"),
            (Some(function), None, _, None) => function.clone(),
            (None, _, _, Some(module)) => format!("{module}+{:#x}", self.offset),
            (None, _, _, None) => format!("{:#x}", self.offset),
        }
    }
}

/// Looks addresses up, and remembers what it has read.
pub struct Symbols {
    symbolizer: Symbolizer,
    /// The file to read of a module, if there is one.
    files: HashMap<(Module, Option<u32>), Option<PathBuf>>,
    perf_maps: HashMap<u32, PerfMap>,
    known: HashMap<(PathBuf, At), Vec<Frame>>,
}

impl Default for Symbols {
    fn default() -> Self {
        Self::new()
    }
}

impl Symbols {
    /// Has read nothing yet.
    pub fn new() -> Self {
        Self {
            symbolizer: Symbolizer::builder().enable_auto_reload(false).enable_demangling(false).build(),
            files: HashMap::new(),
            perf_maps: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// What lies there in a module. `pid`: a process that has it, and may have another root directory than we.
    pub fn in_module(&mut self, module: &Module, pid: Option<u32>, at: At) -> Vec<Frame> {
        let key = (module.clone(), pid);
        let file = self.files.entry(key).or_insert_with(|| module.file(pid)).clone();
        let bare = Frame {
            module: Some(clean(&module.path.to_string_lossy())),
            offset: at.number(),
            ..Frame::default()
        };
        let Some(file) = file else { return vec![bare] };
        if let Some(known) = self.known.get(&(file.clone(), at)) {
            return known.clone();
        }
        let frames = self.look_up(&file, at, &bare);
        self.known.insert((file, at), frames.clone());
        frames
    }

    /// Code that no file has: a JIT compiler may have told its name.
    pub fn of_no_module(&mut self, pid: u32, address: u64) -> Frame {
        let map = self.perf_maps.entry(pid).or_insert_with(|| PerfMap::of(pid));
        Frame { function: map.name(address).map(clean), offset: address, ..Frame::default() }
    }

    /// What a JIT compiler of a process has told may have changed.
    #[allow(dead_code, reason = "for processes that are looked at more than once")]
    pub fn forget(&mut self, pid: u32) {
        self.perf_maps.remove(&pid);
    }

    fn look_up(&self, file: &Path, at: At, bare: &Frame) -> Vec<Frame> {
        let source = Source::Elf(Elf::new(file));
        let input = match at {
            At::Virtual(address) => Input::VirtOffset(address),
            At::File(offset) => Input::FileOffset(offset),
        };
        // The reader of debug information is not ours, and a file may lie.
        let ask = AssertUnwindSafe(|| self.symbolizer.symbolize_single(&source, input));
        let Ok(Ok(Symbolized::Sym(symbol))) = panic::catch_unwind(ask) else { return vec![bare.clone()] };
        let function = |name: &str, code: Option<&CodeInfo<'_>>, is_inlined| Frame {
            function: Some(clean(&demangled(name))).filter(|name| !name.is_empty()),
            file: code.map(|code| clean(&code.to_path().to_string_lossy())),
            line: code.and_then(|code| code.line),
            is_inlined,
            ..bare.clone()
        };
        // Each inlined function has the place in itself; they come from the outside in.
        let outer = function(&symbol.name, symbol.code_info.as_deref(), false);
        let inlined =
            symbol.inlined.iter().map(|inlined| function(&inlined.name, inlined.code_info.as_ref(), true));
        let mut frames: Vec<Frame> = [outer].into_iter().chain(inlined).collect();
        frames.reverse();
        frames
    }
}

/// A name as it is in the source. One that is not mangled is a C function's own, though it may read as one: `f` is float.
fn demangled(name: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        return format!("{name:#}");
    }
    let is_mangled = name.starts_with("_Z") || name.starts_with("__Z");
    let symbol = is_mangled.then(|| cpp_demangle::Symbol::new(name).ok()).flatten();
    symbol.and_then(|symbol| symbol.demangle().ok()).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::maps;

    #[inline(never)]
    fn here() -> u64 {
        here as *const () as u64
    }

    /// This program, and where `here` is in it.
    fn this() -> (Module, At, At) {
        let path = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
        let maps = maps::parse(std::fs::read("/proc/self/maps").unwrap());
        let begin = maps.iter().find(|mapping| mapping.path == path).unwrap().begin;
        let mapping = maps::at(&maps, here()).unwrap();
        let offset = here() - mapping.begin + mapping.offset;
        (Module { path: path.into(), build_id: Vec::new() }, At::Virtual(here() - begin), At::File(offset))
    }

    #[test]
    fn a_function_has_a_name_a_file_and_a_line() {
        let (module, address, offset) = this();
        let mut symbols = Symbols::new();
        for (at, pid) in [(address, None), (offset, None), (address, Some(std::process::id()))] {
            let frames = symbols.in_module(&module, pid, at);
            let frame = frames.last().unwrap();
            assert!(frame.function.as_deref().is_some_and(|name| name.ends_with("tests::here")), "{frame:?}");
            assert!(frame.file.as_deref().is_some_and(|file| file.ends_with("symbols/mod.rs")), "{frame:?}");
            assert!(frame.line.is_some_and(|line| line > 0) && frame.words().contains("mod.rs:"));
        }
    }

    #[test]
    fn only_mangled_names_are_demangled() {
        for name in ["f", "i", "v", "main", "_start"] {
            assert_eq!(demangled(name), name);
        }
        assert_eq!(demangled("_ZN3foo3barEi"), "foo::bar(int)");
        assert_eq!(
            demangled("_ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE"),
            "core::ops::function::FnOnce::call_once"
        );
    }

    #[test]
    fn what_cannot_be_known_is_module_and_offset_or_an_address() {
        let mut symbols = Symbols::new();
        for path in ["/nowhere/x", "/dev/zero", "/proc/self/mem", "/etc", "/etc/passwd", "", "x"] {
            let module = Module { path: path.into(), build_id: Vec::new() };
            let frames = symbols.in_module(&module, None, At::Virtual(0x1234));
            assert_eq!(frames.len(), 1);
            assert_eq!((frames[0].function.as_deref(), frames[0].offset), (None, 0x1234), "{path}");
        }
        let module = Module { path: "/nowhere/lib.so".into(), build_id: Vec::new() };
        assert_eq!(symbols.in_module(&module, None, At::File(0x10))[0].words(), "lib.so+0x10");
        assert_eq!(symbols.of_no_module(std::process::id(), 8).words(), "0x8");
        assert_eq!(symbols.of_no_module(u32::MAX, 8).words(), "0x8");
    }

    #[test]
    fn a_file_of_another_build_is_not_used() {
        let (right, at, _) = this();
        let mut symbols = Symbols::new();
        assert!(symbols.in_module(&right, None, at).last().unwrap().function.is_some());
        let wrong = Module { build_id: vec![7; 20], ..right };
        assert_eq!(symbols.in_module(&wrong, None, at).last().unwrap().function, None);
    }
}
