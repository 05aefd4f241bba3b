//! What the dynamic section of an object leads to: its symbols, and the relocations by which the loader fills in the
//! addresses of other objects' functions.

use std::ops::Range;

use libc::Elf64_Sym;

use super::objects::Object;

/// ELF: `Elf64_Dyn`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Dynamic {
    tag: i64,
    value: u64,
}

/// ELF: `Elf64_Rela`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Rela {
    offset: u64,
    info: u64,
    addend: i64,
}

const DT_NULL: i64 = 0;
const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_STRSZ: i64 = 10;
const DT_JMPREL: i64 = 23;
const DT_GNU_HASH: i64 = 0x6fff_fef5;

#[cfg(target_arch = "x86_64")]
mod kinds {
    pub const ABSOLUTE: u32 = 1;
    pub const GLOB_DAT: u32 = 6;
    pub const JUMP_SLOT: u32 = 7;
}
#[cfg(target_arch = "aarch64")]
mod kinds {
    pub const ABSOLUTE: u32 = 257;
    pub const GLOB_DAT: u32 = 1025;
    pub const JUMP_SLOT: u32 = 1026;
}

/// No name that we interpose is longer.
const LONGEST: usize = 48;

/// A word that the loader fills in with the address of a function.
#[derive(Clone, Copy)]
pub struct Slot {
    pub at: usize,
    /// Until the first call it may lead into the object itself, to code that has the loader find the function.
    pub is_lazy: bool,
}

/// A function that an object defines.
pub struct Function<'a> {
    pub name: &'a [u8],
    pub at: usize,
}

/// The tables of an object.
pub struct Tables<'a> {
    object: &'a Object<'a>,
    symbols: usize,
    strings: Range<usize>,
    relocations: [Range<usize>; 2],
    hash: Option<usize>,
}

impl<'a> Tables<'a> {
    /// None: the object has none, or they are broken.
    pub fn of(object: &'a Object<'a>) -> Option<Self> {
        let section = object.dynamic()?;
        let at = |tag| find(object, &section, tag);
        let address = |tag| at(tag).and_then(|value| object.relocated(value));
        let strings = address(DT_STRTAB)?;
        let table = |start, size| {
            let start = address(start)?;
            let range = start..start.checked_add(at(size)?)?;
            object.can_read(&range).then_some(range)
        };
        let tables = Self {
            object,
            symbols: address(DT_SYMTAB)?,
            strings: strings..strings.checked_add(at(DT_STRSZ)?)?,
            relocations: [(DT_JMPREL, DT_PLTRELSZ), (DT_RELA, DT_RELASZ)]
                .map(|(start, size)| table(start, size).unwrap_or_default()),
            hash: address(DT_GNU_HASH),
        };
        object.can_read(&tables.strings).then_some(tables)
    }

    fn symbol(&self, index: u32) -> Option<Elf64_Sym> {
        let offset = (index as usize).checked_mul(size_of::<Elf64_Sym>())?;
        self.object.read(self.symbols.checked_add(offset)?)
    }

    fn name(&self, symbol: &Elf64_Sym) -> Option<&'a [u8]> {
        let start = self.strings.start.checked_add(symbol.st_name as usize)?;
        let len = self.strings.end.checked_sub(start)?.min(LONGEST);
        // SAFETY: within the strings, which can be read as long as the object is loaded.
        let bytes = unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(start), len) };
        bytes.iter().position(|byte| *byte == 0).map(|end| &bytes[..end])
    }

    /// Runs `work` on each slot of a function that the object does not define itself, with the function's name.
    pub fn slots(&self, work: &mut dyn FnMut(Slot, &[u8])) {
        for table in &self.relocations {
            let count = table.len() / size_of::<Rela>();
            for index in 0..count {
                let at = table.start + index * size_of::<Rela>();
                // SAFETY: `of` has checked the table as a whole.
                let rela = unsafe { std::ptr::with_exposed_provenance::<Rela>(at).read_unaligned() };
                let kind = rela.info as u32;
                let is_one = matches!(kind, kinds::JUMP_SLOT | kinds::GLOB_DAT)
                    || kind == kinds::ABSOLUTE && rela.addend == 0;
                if !is_one {
                    continue;
                }
                let Some(symbol) = self.symbol((rela.info >> 32) as u32) else { continue };
                let at = self.object.base().wrapping_add(rela.offset as usize);
                if symbol.st_shndx == 0 && self.object.may_hold_a_slot(at) {
                    if let Some(name) = self.name(&symbol) {
                        work(Slot { at, is_lazy: kind == kinds::JUMP_SLOT }, name);
                    }
                }
            }
        }
    }

    /// The functions that the object defines for others.
    pub fn functions(&self) -> impl Iterator<Item = Function<'a>> + '_ {
        const STT_FUNC: u8 = 2;
        (0..self.count().unwrap_or(0)).filter_map(|index| {
            let symbol = self.symbol(index)?;
            let is_defined = symbol.st_shndx != 0 && symbol.st_info & 0xf == STT_FUNC;
            let at = self.object.base().wrapping_add(symbol.st_value as usize);
            is_defined.then_some(Function { name: self.name(&symbol)?, at })
        })
    }

    /// How many symbols there are: one more than the last in the hash table's last chain.
    fn count(&self) -> Option<u32> {
        let hash = self.hash?;
        let word = |index: usize| self.object.read::<u32>(hash.checked_add(index.checked_mul(4)?)?);
        let [buckets, first, filter] = [word(0)?, word(1)?, word(2)?];
        let starts = 4 + 2 * filter as usize;
        let chains = starts + buckets as usize;
        let mut last = (0..buckets as usize).filter_map(|bucket| word(starts + bucket)).max()?;
        loop {
            // The last of a chain is odd.
            if word(chains + last.checked_sub(first)? as usize)? & 1 != 0 {
                return last.checked_add(1);
            }
            last += 1;
        }
    }
}

/// The value of an entry of the dynamic section.
fn find(object: &Object, section: &Range<usize>, wanted: i64) -> Option<usize> {
    let entries = section.clone().step_by(size_of::<Dynamic>()).map_while(|at| object.read::<Dynamic>(at));
    let mut known = entries.take_while(|entry| entry.tag != DT_NULL);
    known.find(|entry| entry.tag == wanted).map(|entry| entry.value as usize)
}
