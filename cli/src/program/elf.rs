//! What ELF files need: which machine, which loader, which glibc.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::elf::FileHeader64;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache, ReadRef};

type Header = FileHeader64<Endianness>;

/// A machine, as ELF names it: 32 or 64 bits, the byte order, and a number.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Machine {
    class: u8,
    order: u8,
    number: u16,
}

const TWO_S_COMPLEMENT_LITTLE_ENDIAN: u8 = 1;

impl Machine {
    /// None: this is no ELF file.
    pub fn of(head: &[u8]) -> Option<Self> {
        let head: &[u8; 20] = head.first_chunk()?;
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        let number = [head[18], head[19]];
        let little = head[5] == TWO_S_COMPLEMENT_LITTLE_ENDIAN;
        let number = if little { u16::from_le_bytes(number) } else { u16::from_be_bytes(number) };
        Some(Self { class: head[4], order: head[5], number })
    }

    /// In words.
    pub fn name(self) -> String {
        match (self.number, self.class) {
            (libc::EM_386, _) => "i386".into(),
            (libc::EM_ARM, _) => "32-bit ARM".into(),
            (libc::EM_X86_64, 1) => "x32".into(),
            (libc::EM_X86_64, _) => "x86-64".into(),
            (libc::EM_AARCH64, _) => "aarch64".into(),
            (libc::EM_RISCV, _) => "RISC-V".into(),
            (number, _) => format!("machine {number}"),
        }
    }
}

/// How a program is loaded.
#[derive(Debug, PartialEq, Eq)]
pub enum Loading {
    /// By this loader.
    By(PathBuf),
    /// By the kernel alone: it is linked statically, or is a loader itself.
    Alone,
}

/// How a program of 64 bits is loaded. None: the file is no such program.
pub fn loading(file: &File) -> Option<Loading> {
    let data = ReadCache::new(file);
    let header = Header::parse(&data).ok()?;
    let endian = header.endian().ok()?;
    for segment in header.program_headers(endian, &data).ok()? {
        if let Some(path) = segment.interpreter(endian, &data).ok()? {
            return Some(Loading::By(Path::new(OsStr::from_bytes(path)).to_owned()));
        }
    }
    Some(Loading::Alone)
}

/// A version of glibc: 2 and 34, say.
pub type Version = (u32, u32);

/// The newest glibc that a library asks for.
pub fn glibc_needed(file: &File) -> Option<Version> {
    let data = ReadCache::new(file);
    needed_by(&data).ok().flatten()
}

fn needed_by<'data>(data: impl ReadRef<'data>) -> object::Result<Option<Version>> {
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, data)? else { return Ok(None) };
    let strings = sections.strings(endian, data, strings)?;
    let mut newest = None;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            newest = newest.max(version_in(version.name(endian, strings)?));
        }
    }
    Ok(newest)
}

/// The newest version that a libc.so.6 has.
pub fn glibc_version(file: &File) -> Option<Version> {
    let data = ReadCache::new(file);
    defined_by(&data).ok().flatten()
}

fn defined_by<'data>(data: impl ReadRef<'data>) -> object::Result<Option<Version>> {
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let Some((mut definitions, strings)) = sections.gnu_verdef(endian, data)? else { return Ok(None) };
    let strings = sections.strings(endian, data, strings)?;
    let mut newest = None;
    while let Some((_, mut names)) = definitions.next()? {
        // The first name is the definition's own; the versions that it continues come after it.
        if let Some(name) = names.next()? {
            newest = newest.max(version_in(name.name(endian, strings)?));
        }
    }
    Ok(newest)
}

/// `GLIBC_2.2.5` is 2.2; `GLIBC_PRIVATE` and `GCC_3.0` are none.
pub fn version_in(name: &[u8]) -> Option<Version> {
    let mut parts = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
pub mod made {
    //! ELF files of the least size, for tests.

    /// A header of 64 bits, little endian, for `machine`, with `segments` program headers behind it and `sections`
    /// section headers at `sections_at`.
    fn header(machine: u16, segments: u16, sections_at: u64, sections: u16) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend(3u16.to_le_bytes()); // ET_DYN
        file.extend(machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        for word in [0, 64, sections_at] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0u32.to_le_bytes());
        for half in [64, 56, segments, 64, sections, u16::from(sections > 0)] {
            file.extend(half.to_le_bytes());
        }
        file
    }

    /// A program for `machine` that asks for a loader.
    pub fn program(machine: u16, loader: &str) -> Vec<u8> {
        let mut file = header(machine, 1, 0, 0);
        let text = [loader.as_bytes(), b"\0"].concat();
        file.extend(3u32.to_le_bytes()); // PT_INTERP
        file.extend(4u32.to_le_bytes());
        for word in [64 + 56, 0, 0, text.len() as u64, text.len() as u64, 1] {
            file.extend(word.to_le_bytes());
        }
        file.extend(text);
        file
    }

    /// A library that needs, or defines, these versions.
    pub fn library(machine: u16, defines: bool, versions: &[&str]) -> Vec<u8> {
        let mut strings = b"\0libc.so.6\0".to_vec();
        let mut records = Vec::new();
        if !defines {
            // Elf64_Verneed: version, count, file, first, next.
            records.extend([1u16.to_le_bytes(), (versions.len() as u16).to_le_bytes()].concat());
            records.extend([1u32, 16, 0].map(u32::to_le_bytes).concat());
        }
        for (n, version) in versions.iter().enumerate() {
            let name = strings.len() as u32;
            strings.extend([version.as_bytes(), b"\0"].concat());
            let is_last = n + 1 == versions.len();
            if defines {
                // Elf64_Verdef: version, flags, index, count, hash, first, next; Elf64_Verdaux: name, next.
                records.extend([1u16, 0, n as u16 + 1, 1].map(u16::to_le_bytes).concat());
                records.extend([0u32, 20, if is_last { 0 } else { 28 }].map(u32::to_le_bytes).concat());
                records.extend([name, 0].map(u32::to_le_bytes).concat());
            } else {
                // Elf64_Vernaux: hash, flags, other, name, next.
                records.extend(0u32.to_le_bytes());
                records.extend([0u16, n as u16 + 2].map(u16::to_le_bytes).concat());
                records.extend([name, if is_last { 0 } else { 16 }].map(u32::to_le_bytes).concat());
            }
        }
        let (strings_at, records_at) = (64, 64 + strings.len() as u64);
        let sections_at = records_at + records.len() as u64;
        let mut file = header(machine, 0, sections_at, 3);
        file.extend(&strings);
        file.extend(&records);
        let (verdef, verneed) = (0x6fff_fffd_u32, 0x6fff_fffe_u32);
        let count = if defines { versions.len() as u32 } else { 1 };
        let kind = if defines { verdef } else { verneed };
        let mut section = |kind: u32, at: u64, size: u64, link: u32, info: u32| {
            file.extend([0, kind].map(u32::to_le_bytes).concat());
            file.extend([0, 0, at, size].map(u64::to_le_bytes).concat());
            file.extend([link, info].map(u32::to_le_bytes).concat());
            file.extend([1u64, 0].map(u64::to_le_bytes).concat());
        };
        section(0, 0, 0, 0, 0);
        section(3, strings_at, strings.len() as u64, 0, 0);
        section(kind, records_at, records.len() as u64, 1, count);
        file
    }
}
