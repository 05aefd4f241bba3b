//! From a copied stack to the addresses of its calls: by the tables of the files that are mapped, and by frame pointers
//! where there are none (code made at run time).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder as _};
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache, ReadRef};

use super::stack::{self, Stack};
use crate::attach::maps::{self, Mapping};
use crate::symbols::in_root;

/// The most frames.
const FRAMES: usize = 64;
/// The most that is read of a table.
const TABLE: u64 = 256 << 20;
/// How many frame pointers are tried.
const TRIES: usize = 64;
/// No frame pointer. 0 would be the last one of a stack.
const NONE: u64 = 1;
const PAGE: u64 = 4096;

type Bytes = Arc<[u8]>;

/// The tables of a process's files.
pub struct Unwinder {
    unwinder: UnwinderX86_64<Bytes>,
    cache: CacheX86_64,
    /// The modules by where they begin, and the file: its end, device and inode.
    modules: BTreeMap<u64, (u64, (String, u64))>,
}

impl std::fmt::Debug for Unwinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwinder").field("modules", &self.modules.len()).finish_non_exhaustive()
    }
}

impl Unwinder {
    pub fn new() -> Self {
        Self { unwinder: UnwinderX86_64::new(), cache: CacheX86_64::new(), modules: BTreeMap::new() }
    }

    /// Takes in the tables of what is new among the mappings of a process.
    pub fn learn(&mut self, pid: u32, all: &[Mapping]) {
        for mapping in all.iter().filter(|mapping| mapping.mode[2] == b'x') {
            self.learn_one(pid, all, mapping);
        }
    }

    fn learn_one(&mut self, pid: u32, all: &[Mapping], code: &Mapping) {
        let is_same = |other: &&Mapping| other.file == code.file && other.path == code.path;
        let before = all.iter().filter(is_same).rfind(|other| other.begin <= code.begin && other.offset == 0);
        let begin = before.map_or(code.begin, |first| first.begin);
        if self.modules.get(&begin).is_some_and(|(end, file)| *end >= code.end && *file == code.file) {
            return;
        }
        let (sections, last) = if code.path == "[vdso]" {
            let bytes = stack::copy(pid, code.begin).unwrap_or_default();
            (sections(bytes.as_slice()), code.end)
        } else if code.file.1 != 0 && before.is_some() {
            (open(pid, code).and_then(|file| sections(&ReadCache::new(file))), code.end)
        } else {
            return;
        };
        if self.modules.insert(begin, (last, code.file.clone())).is_some() {
            self.unwinder.remove_module(begin);
        }
        if let Some(sections) = sections {
            self.unwinder.add_module(Module::new(code.path.clone(), begin..last, begin, sections));
        }
        self.cache = CacheX86_64::new();
    }

    /// The addresses of the code that a stack is at, or has called from; the innermost first.
    pub fn frames(&mut self, mappings: &[Mapping], stack: &Stack) -> Vec<u64> {
        let is_code =
            |address: u64| maps::at(mappings, address).is_some_and(|mapping| mapping.mode[2] == b'x');
        if let Some(bp) = stack.bp {
            return self.unwind(stack, bp, &is_code).0;
        }
        // Most of libc's code does not need the frame pointer.
        let (mut best, is_whole) = self.unwind(stack, NONE, &is_code);
        if is_whole {
            return best;
        }
        let all: Vec<u64> = stack.frame_pointers(&is_code).take(TRIES).collect();
        for bp in all {
            let (frames, is_whole) = self.unwind(stack, bp, &is_code);
            if is_whole || frames.len() > best.len() {
                best = frames;
            }
            if is_whole {
                break;
            }
        }
        best
    }

    /// The frames, and whether they go on to where the stack begins.
    fn unwind(&mut self, stack: &Stack, bp: u64, is_code: &impl Fn(u64) -> bool) -> (Vec<u64>, bool) {
        let registers = UnwindRegsX86_64::new(stack.ip, stack.sp, bp);
        let mut read = |address| stack.word(address).ok_or(());
        let mut all = self.unwinder.iter_frames(stack.ip, registers, &mut self.cache, &mut read);
        let mut frames = Vec::new();
        while frames.len() < FRAMES {
            let frame = match all.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return (frames, true),
                Err(_) => return (frames, false),
            };
            let address = match frame {
                FrameAddress::InstructionPointer(address) => address,
                // It returns behind the call.
                FrameAddress::ReturnAddress(address) => address.get() - 1,
            };
            if !is_code(address) {
                return (frames, false);
            }
            frames.push(address);
        }
        (frames, false)
    }
}

/// The file behind a mapping.
fn open(pid: u32, mapping: &Mapping) -> Option<File> {
    let range = format!("{:x}-{:x}", mapping.begin, mapping.end);
    let mapped = File::open(format!("/proc/{pid}/map_files/{range}")).ok();
    let is_it =
        |file: &File| file.metadata().is_ok_and(|meta| meta.ino() == mapping.file.1 && meta.is_file());
    mapped.filter(is_it).or_else(|| File::open(in_root(pid, &mapping.os_path)?).ok().filter(is_it))
}

/// The tables of an ELF file.
fn sections<'a, R: ReadRef<'a>>(data: R) -> Option<ExplicitModuleSectionInfo<Bytes>> {
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let loaded = header.program_headers(endian, data).ok()?.iter();
    let loaded = loaded.filter(|part| part.p_type(endian) == PT_LOAD).map(|part| part.p_vaddr(endian));
    let mut all = ExplicitModuleSectionInfo { base_svma: loaded.min()? & !(PAGE - 1), ..Default::default() };
    let table = header.sections(endian, data).ok()?;
    let section = |name: &[u8]| {
        let (_, section) = table.section_by_name(endian, name)?;
        if section.sh_size(endian) > TABLE {
            return None;
        }
        let begin = section.sh_addr(endian);
        let bytes = Bytes::from(section.data(endian, data).ok()?);
        Some((begin..begin.checked_add(bytes.len() as u64)?, bytes))
    };
    (all.eh_frame_svma, all.eh_frame) = section(b".eh_frame").unzip();
    (all.eh_frame_hdr_svma, all.eh_frame_hdr) = section(b".eh_frame_hdr").unzip();
    if all.eh_frame.is_none() {
        all.debug_frame = section(b".debug_frame").map(|(_, bytes)| bytes);
    }
    let text = table.section_by_name(endian, b".text");
    all.text_svma = text.map(|(_, text)| text.sh_addr(endian)..text.sh_addr(endian) + text.sh_size(endian));
    all.got_svma = section(b".got").map(|(range, _)| range);
    Some(all)
}
