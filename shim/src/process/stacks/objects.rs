//! Which loaded object an address lies in.
//!
//! glibc 2.35 has `_dl_find_object`, which takes no lock. The object of a frame cannot be unloaded while the frame is
//! there. Elsewhere the loader's list is walked, with the loader's lock held; a forked child does not do that, because
//! another thread of its parent may have held that lock at the fork.

use std::ffi::CStr;
use std::ptr;

use libc::{c_char, c_int, c_void, dl_phdr_info};
use once_cell::sync::OnceCell;

/// An object that is loaded. Two of the same value are the same object, unless objects were unloaded meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    pub start: usize,
    pub end: usize,
    /// What the loader has added to its addresses.
    pub bias: usize,
    /// `.eh_frame_hdr`; 0: it has none.
    pub eh_frame_hdr: usize,
    name: *const c_char,
}

impl Object {
    pub fn holds(&self, at: usize) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// The path that it was loaded by; empty: it is the program.
    pub fn path(&self) -> &[u8] {
        match self.name.is_null() {
            true => &[],
            // SAFETY: the loader's own, of an object that is loaded.
            false => unsafe { CStr::from_ptr(self.name) }.to_bytes(),
        }
    }
}

/// glibc: `struct dl_find_object`, with its reserved words.
#[repr(C)]
pub struct Found {
    flags: u64,
    start: usize,
    end: usize,
    map: *const LinkMap,
    eh_frame_hdr: usize,
    reserved: [u64; 8],
}

/// The beginning of `struct link_map`.
#[repr(C)]
pub struct LinkMap {
    bias: usize,
    name: *const c_char,
}

type FindObject = unsafe extern "C" fn(at: *mut c_void, found: *mut Found) -> c_int;

/// How objects are found.
#[derive(Clone, Copy)]
pub enum Finder {
    Lookup(FindObject),
    Walk,
    /// They cannot be found.
    Nothing,
}

/// glibc's function; None: it has none.
static FIND_OBJECT: OnceCell<Option<FindObject>> = OnceCell::new();

/// Asks the loader for its function, at start-up. A forked child does not ask: another thread of its parent may have
/// held the loader's lock at the fork, and only fork(3) makes that lock anew.
pub fn look_up_function() {
    FIND_OBJECT.get_or_init(|| {
        // SAFETY: the name ends with a NUL.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
        // SAFETY: glibc's function of that name has this type.
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, FindObject>(found) })
    });
}

impl Finder {
    pub fn new(was_forked: bool) -> Self {
        match FIND_OBJECT.get() {
            Some(Some(find)) => Self::Lookup(*find),
            _ if was_forked => Self::Nothing,
            _ => Self::Walk,
        }
    }

    /// The object at an address.
    pub fn find(self, at: usize) -> Option<Object> {
        match self {
            Self::Lookup(find) => look_up(find, at),
            Self::Walk => walk(at),
            Self::Nothing => None,
        }
    }
}

fn look_up(find: FindObject, at: usize) -> Option<Object> {
    let mut found = Found { flags: 0, start: 0, end: 0, map: ptr::null(), eh_frame_hdr: 0, reserved: [0; 8] };
    // SAFETY: it has room for all that is written, and any address may be asked for.
    let done = unsafe { find(ptr::with_exposed_provenance_mut(at), &raw mut found) };
    if done != 0 {
        return None;
    }
    // SAFETY: the loader's, of an object that is loaded.
    let map = unsafe { found.map.as_ref() }?;
    let Found { start, end, eh_frame_hdr, .. } = found;
    Some(Object { start, end, bias: map.bias, eh_frame_hdr, name: map.name })
}

struct Search {
    at: usize,
    found: Option<Object>,
}

fn walk(at: usize) -> Option<Object> {
    let mut search = Search { at, found: None };
    // SAFETY: `visit` gets the search, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), ptr::from_mut(&mut search).cast()) };
    search.found
}

unsafe extern "C" fn visit(info: *mut dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
    // SAFETY: what `walk` passes; the loader's, for the duration of this call.
    let (search, info) = unsafe { (&mut *search.cast::<Search>(), &*info) };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    let bias = info.dlpi_addr as usize;
    // SAFETY: the loader has read this many program headers there.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let mut object = Object { start: usize::MAX, end: 0, bias, eh_frame_hdr: 0, name: info.dlpi_name.cast() };
    for header in headers {
        let start = bias.wrapping_add(header.p_vaddr as usize);
        match header.p_type {
            libc::PT_LOAD => {
                object.start = object.start.min(start & !4095);
                object.end = object.end.max(start.saturating_add(header.p_memsz as usize));
            }
            libc::PT_GNU_EH_FRAME => object.eh_frame_hdr = start,
            _ => {}
        }
    }
    let is_it = object.holds(search.at);
    if is_it {
        search.found = Some(object);
    }
    is_it.into()
}
