//! What is read of an object once: its tables of unwinding and its build ID.

use std::{ptr, slice};

use framehop::ExplicitModuleSectionInfo;
use glasspoll_reactor::sys;
use libc::{Elf64_Ehdr, Elf64_Phdr};

use super::objects::Object;

/// The bytes of a loaded object's section.
pub type Bytes = &'static [u8];
/// A module, for the unwinder.
pub type Module = framehop::Module<Bytes>;

const PAGE: usize = 4096;
const NT_GNU_BUILD_ID: u32 = 3;

/// The segments of an object.
struct Segments {
    bias: usize,
    headers: &'static [Elf64_Phdr],
}

impl Segments {
    /// From the file header, which begins the object's memory.
    fn of(object: &Object) -> Option<Self> {
        let at = object.start;
        if !sys::can_read_8(at) {
            return None;
        }
        // SAFETY: the page can be read.
        let header = unsafe { ptr::with_exposed_provenance::<Elf64_Ehdr>(at).read_unaligned() };
        let (from, count) = (header.e_phoff as usize, usize::from(header.e_phnum));
        let fits = header.e_ident[..4] == *b"\x7fELF"
            && usize::from(header.e_phentsize) == size_of::<Elf64_Phdr>()
            && from % align_of::<Elf64_Phdr>() == 0
            && from.checked_add(count * size_of::<Elf64_Phdr>())? <= PAGE;
        // SAFETY: they lie in that page, which stays as long as the object.
        let headers = fits.then(|| unsafe {
            slice::from_raw_parts(ptr::with_exposed_provenance::<Elf64_Phdr>(at + from), count)
        })?;
        Some(Self { bias: object.bias, headers })
    }

    /// The bytes from an address to the end of what the file has of its segment.
    fn from(&self, at: usize) -> Option<Bytes> {
        let readable =
            self.headers.iter().filter(|load| load.p_type == libc::PT_LOAD && load.p_flags & libc::PF_R != 0);
        let mut ranges = readable.map(|load| {
            let start = self.bias.wrapping_add(load.p_vaddr as usize);
            start..start.saturating_add(load.p_filesz as usize)
        });
        let range = ranges.find(|range| range.contains(&at))?;
        // SAFETY: the loader has mapped it. It is read only while the object has a frame on a stack.
        Some(unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(at), range.end - at) })
    }

    fn build_id(&self) -> Option<Bytes> {
        let notes = self.headers.iter().filter(|header| header.p_type == libc::PT_NOTE);
        notes
            .filter_map(|note| {
                let bytes = self.from(self.bias.wrapping_add(note.p_vaddr as usize))?;
                build_id_in(bytes.get(..note.p_memsz as usize)?)
            })
            .next()
    }
}

/// Looks through notes: u32 length of the name, u32 length of the content, u32 kind, both padded to four bytes.
fn build_id_in(mut notes: Bytes) -> Option<Bytes> {
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name, len, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let at = 12 + name.next_multiple_of(4);
        if kind == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return notes.get(at..at.checked_add(len)?);
        }
        notes = notes.get(at.checked_add(len.next_multiple_of(4))?..)?;
    }
}

/// The object for the unwinder, and its build ID, empty if it has none.
pub fn read(object: &Object) -> (Module, Bytes) {
    let segments = Segments::of(object);
    let range = object.start as u64..object.end as u64;
    let info = segments.as_ref().and_then(|segments| tables(object, segments)).unwrap_or_default();
    let build_id = segments.and_then(|segments| segments.build_id()).unwrap_or_default();
    (Module::new(String::new(), range, object.bias as u64, info), build_id)
}

/// `.eh_frame_hdr` says where `.eh_frame` is. Where they end is not known: they end at the latest with their segment.
fn tables(object: &Object, segments: &Segments) -> Option<ExplicitModuleSectionInfo<Bytes>> {
    /// Linux Standard Base: DW_EH_PE_pcrel | DW_EH_PE_sdata4.
    const RELATIVE: u8 = 0x1b;
    let eh_frame_hdr = Some(object.eh_frame_hdr).filter(|at| *at != 0)?;
    let header = segments.from(eh_frame_hdr)?;
    let [1, RELATIVE, _, _, a, b, c, d] = *header.first_chunk()? else { return None };
    let eh_frame = (eh_frame_hdr + 4).wrapping_add_signed(i32::from_le_bytes([a, b, c, d]) as isize);
    let frames = segments.from(eh_frame)?;
    let svma = |at: usize, bytes: Bytes| {
        let begin = at.wrapping_sub(object.bias) as u64;
        begin..begin.saturating_add(bytes.len() as u64)
    };
    Some(ExplicitModuleSectionInfo {
        eh_frame_hdr_svma: Some(svma(eh_frame_hdr, header)),
        eh_frame_hdr: Some(header),
        eh_frame_svma: Some(svma(eh_frame, frames)),
        eh_frame: Some(frames),
        ..ExplicitModuleSectionInfo::default()
    })
}
