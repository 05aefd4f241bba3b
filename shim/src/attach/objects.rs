//! The objects that the loader has loaded, and their memory. Nothing outside of what the loader has mapped is read: an
//! object may be broken, or may have unmapped a part of itself.

use std::ffi::CStr;
use std::ops::{ControlFlow, Range};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice};

use libc::{c_int, c_void, dl_phdr_info, Elf64_Phdr};

use super::mappings::Mappings;

/// An object. It stays loaded while `each` looks at it.
pub struct Object<'a> {
    base: usize,
    name: &'a [u8],
    headers: &'a [Elf64_Phdr],
    mappings: Option<&'a Mappings>,
}

/// How many objects the loader has loaded and unloaded since the program's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub loaded: u64,
    pub unloaded: u64,
}

struct Walk<'a, 'w> {
    work: &'w mut dyn FnMut(&Object) -> ControlFlow<()>,
    mappings: Option<&'a Mappings>,
    changes: Changes,
}

/// Runs `work` on the objects, in the loader's order. The loader's list is locked meanwhile: `work` must not call the
/// loader. With `mappings`, only what is mapped there is read.
pub fn each(mappings: Option<&Mappings>, work: &mut dyn FnMut(&Object) -> ControlFlow<()>) -> Changes {
    let mut walk = Walk { work, mappings, changes: Changes::default() };
    // SAFETY: `visit` gets the walk, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), ptr::from_mut(&mut walk).cast()) };
    walk.changes
}

/// How many objects the loader has loaded and unloaded.
pub fn changes() -> Changes {
    each(None, &mut |_| ControlFlow::Break(()))
}

unsafe extern "C" fn visit(info: *mut dl_phdr_info, _size: usize, walk: *mut c_void) -> c_int {
    // SAFETY: what `each` passes.
    let walk = unsafe { &mut *walk.cast::<Walk>() };
    // SAFETY: the loader's, for the duration of this call.
    let info = unsafe { &*info };
    walk.changes = Changes { loaded: info.dlpi_adds, unloaded: info.dlpi_subs };
    let name = match info.dlpi_name.is_null() {
        true => &[],
        // SAFETY: the loader's own name of the object.
        false => unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes(),
    };
    let headers = match info.dlpi_phdr.is_null() {
        true => &[],
        // SAFETY: the loader has read this many program headers there.
        false => unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) },
    };
    let object = Object { base: info.dlpi_addr as usize, name, headers, mappings: walk.mappings };
    // A panic must not unwind the loader's frames, which hold its lock.
    match catch_unwind(AssertUnwindSafe(|| (walk.work)(&object))) {
        Ok(ControlFlow::Continue(())) => 0,
        Ok(ControlFlow::Break(())) | Err(_) => 1,
    }
}

impl Object<'_> {
    /// The name of its file, without folders. The program itself has none.
    pub fn file_name(&self) -> &[u8] {
        self.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// Whether it names a loader, as a program does that is not static.
    pub fn has_interpreter(&self) -> bool {
        self.headers.iter().any(|header| header.p_type == libc::PT_INTERP)
    }

    /// Whether it is this library.
    pub fn is_ours(&self) -> bool {
        static HERE: u8 = 0;
        self.memory().any(|part| part.contains(&ptr::from_ref(&HERE).addr()))
    }

    /// What a program header of its describes.
    fn range(&self, header: &Elf64_Phdr) -> Range<usize> {
        let start = self.base.wrapping_add(header.p_vaddr as usize);
        start..start.saturating_add(header.p_memsz as usize)
    }

    /// The parts that are mapped with all of these rights (PF_R, PF_W, PF_X).
    fn parts(&self, rights: u32) -> impl Iterator<Item = Range<usize>> + '_ {
        let fits =
            move |header: &&Elf64_Phdr| header.p_type == libc::PT_LOAD && header.p_flags & rights == rights;
        self.headers.iter().filter(fits).map(|header| self.range(header))
    }

    /// Where it lies.
    pub fn memory(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.parts(0)
    }

    /// Where its code lies.
    pub fn code(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.parts(libc::PF_X)
    }

    /// Whether its code is there.
    pub fn holds_code(&self, at: usize) -> bool {
        self.code().any(|part| part.contains(&at))
    }

    /// Whether the range lies in one part with these rights.
    fn has(&self, range: &Range<usize>, rights: u32) -> bool {
        range.start <= range.end
            && self.parts(rights).any(|part| part.start <= range.start && range.end <= part.end)
    }

    /// Whether the bytes are its own and can be read.
    pub fn can_read(&self, range: &Range<usize>) -> bool {
        self.has(range, libc::PF_R) && self.mappings.is_none_or(|known| known.are_readable(range))
    }

    /// Whether the loader may have written a word of its own there.
    pub fn may_hold_a_slot(&self, at: usize) -> bool {
        let word = at..at.saturating_add(size_of::<usize>());
        at.is_multiple_of(size_of::<usize>()) && self.has(&word, libc::PF_W) && self.can_read(&word)
    }

    /// Reads a value, if all of it is there.
    pub fn read<T: Copy>(&self, at: usize) -> Option<T> {
        let range = at..at.checked_add(size_of::<T>())?;
        // SAFETY: the bytes can be read. Each type that is read here is made of numbers.
        self.can_read(&range).then(|| unsafe { ptr::with_exposed_provenance::<T>(at).read_unaligned() })
    }

    /// An address from its dynamic section. The loader writes the address itself there, where it can write.
    pub fn relocated(&self, at: usize) -> Option<usize> {
        let moved = self.base.wrapping_add(at);
        let known = |at: &usize| self.can_read(&(*at..at.saturating_add(1)));
        [at, moved].into_iter().find(known)
    }

    /// The dynamic section.
    pub fn dynamic(&self) -> Option<Range<usize>> {
        self.headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC).map(|header| self.range(header))
    }

    /// Where its base is: addresses in its tables count from there.
    pub fn base(&self) -> usize {
        self.base
    }

    /// What the loader makes read-only once it has filled it in, in whole pages.
    pub fn read_only(&self) -> Option<Range<usize>> {
        let header = self.headers.iter().find(|header| header.p_type == libc::PT_GNU_RELRO)?;
        let range = self.range(header);
        let page = page_size();
        let range = range.start & !(page - 1)..range.end & !(page - 1);
        (!range.is_empty()).then_some(range)
    }
}

/// The size of a page.
pub fn page_size() -> usize {
    // SAFETY: getauxval has no preconditions.
    unsafe { libc::getauxval(libc::AT_PAGESZ) as usize }.max(4096)
}
