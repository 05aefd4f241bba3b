//! An ELF object as it is mapped in the target: its symbols, the glibc that it is, and the room that its pages have
//! beyond what the file fills.
//!
//! All is read from the target's memory, and not from the file: the file may have been replaced while the process
//! runs, as in each upgrade, or lie in a container. The target is not trusted: all reads have bounds.

use object::elf::{
    self, Dyn64, FileHeader64, Sym64, Verdaux, Verdef, DT_GNU_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB,
    DT_VERDEF, DT_VERDEFNUM,
};
use object::read::elf::{FileHeader, GnuHashTable, ProgramHeader};
use object::{Endianness, ReadRef};

use super::memory::Memory;
use crate::program::elf::{version_in, Version};

type Header = FileHeader64<Endianness>;

/// The most that is read of a table of an object: libc's have 150 KiB, those of a browser some MiB.
const MOST: u64 = 1 << 25;
/// The headers lie in the first page, or it is no object of ours.
const HEAD: usize = 4096;
const PAGE: u64 = 4096;

/// A part of an object, by its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub begin: u64,
    /// Behind its last byte.
    pub end: u64,
    pub is_code: bool,
    pub is_data: bool,
}

impl Segment {
    /// What is left of its last page.
    pub fn slack(&self) -> std::ops::Range<u64> {
        let begin = self.end.checked_next_multiple_of(64).unwrap_or(u64::MAX);
        begin..self.end.checked_next_multiple_of(PAGE).unwrap_or(begin).max(begin)
    }
}

/// The object.
#[derive(Debug)]
pub struct Object {
    endian: Endianness,
    /// What is added to its addresses.
    bias: u64,
    pub segments: Vec<Segment>,
    symbols: Vec<Sym64<Endianness>>,
    strings: Vec<u8>,
    /// The newest glibc version that it defines.
    pub version: Option<Version>,
}

impl Object {
    /// Reads the object at an address; None: it is none.
    pub fn read(memory: &impl Memory, base: u64) -> Option<Self> {
        let head = memory.bytes(base, HEAD)?;
        let data: &[u8] = &head;
        let header = Header::parse(data).ok()?;
        let endian = header.endian().ok()?;
        let mut object = Self {
            endian,
            bias: 0,
            segments: Vec::new(),
            symbols: Vec::new(),
            strings: Vec::new(),
            version: None,
        };
        let (mut dynamic, mut first) = (None, None);
        for part in header.program_headers(endian, data).ok()? {
            let (at, size) = (part.p_vaddr(endian), part.p_memsz(endian));
            match part.p_type(endian) {
                elf::PT_LOAD => {
                    first.get_or_insert(at & !(PAGE - 1));
                    let flags = part.p_flags(endian);
                    let is_data = flags.contains(elf::PF_W);
                    let is_code = flags.contains(elf::PF_X) && !is_data;
                    object.segments.push(Segment { begin: at, end: at.checked_add(size)?, is_code, is_data });
                }
                elf::PT_DYNAMIC => dynamic = Some((at, size)),
                _ => {}
            }
        }
        object.bias = base.wrapping_sub(first?);
        for segment in &mut object.segments {
            segment.begin = segment.begin.wrapping_add(object.bias);
            segment.end = segment.end.wrapping_add(object.bias);
        }
        if let Some((at, size)) = dynamic {
            object.read_dynamic(memory, at.wrapping_add(object.bias), size);
        }
        Some(object)
    }

    fn read_dynamic(&mut self, memory: &impl Memory, at: u64, size: u64) -> Option<()> {
        let endian = self.endian;
        let bytes = memory.bytes(at, size.min(1 << 16) as usize)?;
        let entries = bytes.as_slice().read_slice_at::<Dyn64<Endianness>>(0, bytes.len() / 16).ok()?;
        let value = |tag| {
            let entry = entries.iter().find(|entry| entry.d_tag.get(endian) == tag)?;
            Some(entry.d_val.get(endian))
        };
        // The loader has added the bias in memory, except for some objects such as the kernel's own.
        let placed = |address: u64| {
            if self.segment_at(address).is_some() {
                address
            } else {
                address.wrapping_add(self.bias)
            }
        };
        let table = |tag| self.table(memory, placed(value(tag)?));
        let mut strings = table(DT_STRTAB)?;
        strings.truncate(value(DT_STRSZ)?.min(MOST) as usize);
        let hashes = table(DT_GNU_HASH)?;
        let hashes = GnuHashTable::<Header>::parse(endian, &hashes).ok()?;
        let count = hashes.symbol_table_length(endian)?;
        let symbols = table(DT_SYMTAB)?;
        let symbols = symbols.as_slice().read_slice_at::<Sym64<Endianness>>(0, count as usize).ok()?.to_vec();
        let version = table(DT_VERDEF)
            .and_then(|definitions| newest(endian, &definitions, value(DT_VERDEFNUM)?, &strings));
        (self.symbols, self.strings, self.version) = (symbols, strings, version);
        Some(())
    }

    fn segment_at(&self, address: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| (segment.begin..segment.end).contains(&address))
    }

    /// All from an address to the end of its segment.
    fn table(&self, memory: &impl Memory, at: u64) -> Option<Vec<u8>> {
        let segment = self.segment_at(at)?;
        memory.bytes(at, (segment.end - at).min(MOST) as usize)
    }

    /// The address of a function that it exports.
    pub fn function(&self, name: &str) -> Option<u64> {
        let symbol = self.symbol(name, elf::STT_FUNC)?;
        let address = symbol.st_value.get(self.endian).wrapping_add(self.bias);
        self.segment_at(address)?.is_code.then_some(address)
    }

    /// The addresses of data that it exports.
    pub fn data(&self, name: &str) -> Option<std::ops::Range<u64>> {
        let symbol = self.symbol(name, elf::STT_OBJECT)?;
        let begin = symbol.st_value.get(self.endian).wrapping_add(self.bias);
        Some(begin..begin.checked_add(symbol.st_size.get(self.endian))?)
    }

    fn symbol(&self, name: &str, kind: elf::SymbolType) -> Option<&Sym64<Endianness>> {
        self.symbols.iter().find(|symbol| {
            let is_here = symbol.st_type() == kind && symbol.st_shndx.get(self.endian) != elf::SHN_UNDEF;
            let text = self.strings.get(symbol.st_name.get(self.endian) as usize..).unwrap_or_default();
            is_here && text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
        })
    }
}

fn newest(endian: Endianness, definitions: &[u8], count: u64, strings: &[u8]) -> Option<Version> {
    let (mut at, mut newest) = (0u64, None);
    for _ in 0..count.min(1 << 12) {
        let definition: &Verdef<Endianness> = definitions.read_at(at).ok()?;
        // The first name is the definition's own.
        let name_at = at.checked_add(definition.vd_aux.get(endian).into())?;
        let name: &Verdaux<Endianness> = definitions.read_at(name_at).ok()?;
        let name = strings.get(name.vda_name.get(endian) as usize..)?.split(|byte| *byte == 0).next()?;
        newest = newest.max(version_in(name));
        match definition.vd_next.get(endian) {
            0 => break,
            next => at = at.checked_add(next.into())?,
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::super::{maps, memory};
    use super::*;
    use nix::unistd::Pid;

    #[test]
    fn our_own_libc_has_its_functions_and_its_version() {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        let all = maps::parse(&text);
        let libc = maps::objects(&all).into_iter().find(maps::Mapped::is_glibc).unwrap();
        let object = Object::read(&memory::Process(Pid::this()), libc.base).unwrap();
        assert_eq!(object.function("dlopen"), Some(libc::dlopen as *const () as u64));
        assert_eq!(object.function("dlsym"), Some(libc::dlsym as *const () as u64));
        assert_eq!(object.function("no_such_function"), None);
        assert!(object.version.is_some_and(|version| version >= (2, 34)), "{:?}", object.version);
        let code = object.segments.iter().find(|segment| segment.is_code).unwrap();
        assert!(maps::at(&all, code.begin).is_some_and(maps::Mapping::is_private_code));
        assert!(code.slack().end - code.end < 4096);
    }

    #[test]
    fn what_is_no_object_is_none() {
        struct Image(Vec<u8>);
        impl Memory for Image {
            fn read(&self, address: u64, into: &mut [u8]) -> bool {
                let part = self.0.get(address as usize..address as usize + into.len());
                part.map(|part| into.copy_from_slice(part)).is_some()
            }
        }
        assert!(Object::read(&Image(vec![0; 8192]), 0).is_none());
        assert!(Object::read(&Image(vec![0; 10]), 0).is_none());
        let mut head = crate::program::elf::made::program(62, "/lib/ld.so");
        head.resize(8192, 0);
        assert!(Object::read(&Image(head), 0).is_none(), "no segment is loaded");
    }
}
