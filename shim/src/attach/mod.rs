//! Attach: the library came into a program that was running already, by dlopen(3), and observes it until detach.
//!
//! No name leads to a library that came late, so `glasspoll_attach` makes them lead to it: it points the slots of all
//! loaded objects at our functions. `glasspoll_detach` puts them back. Before, in between and after, the library
//! sleeps: it stays loaded, and a call that still comes goes on to libc.
//!
//! `arrival` tells whether the library came late. `objects` walks the loaded objects, `tables` reads their tables,
//! `mappings` knows what is mapped, `glibc` where glibc's functions lie. `names` is what we take over, `slots` does it.
//!
//! What is not seen: calls by a pointer that the program got by dlsym(3) before, and calls within glibc.
//!
//! Locks: `ATTACHED`, taken inside, before the table's and the reactor's. The loader's own locks are taken with it held.

mod arrival;
mod glibc;
mod mappings;
mod names;
mod objects;
mod slots;
mod tables;

pub use arrival::{is_attached, is_late};

use std::ffi::CStr;

use glasspoll_reactor::sync::Mutex;
use glasspoll_reactor::sys::Errno;
use libc::{c_char, c_int};

use crate::engine::observe;
use crate::interpose::real;
use crate::process;
use crate::process::options::Options;
use crate::thread::context;
use crate::thread::guarded::guarded;
use glibc::Code;
use names::Names;
use objects::Changes;
use slots::Slots;

/// What an attached library has taken over.
struct Attached {
    glibc: Code,
    names: Names,
    slots: Slots,
    /// The loader's changes that the slots reflect. None: another look is due.
    seen: Option<Changes>,
    /// Not only for as long as a command looks.
    stays: bool,
}

/// The option of a look.
const LOOK: &[u8] = b"look=yes";

static ATTACHED: Mutex<Option<Attached>> = Mutex::new(None);

/// Observes from now on. `options`: words such as `ring=1M;log=trace`. Returns the number of slots that lead to us, or
/// an errno, negated.
///
/// # Safety
/// `options` is null or ends with a NUL.
#[no_mangle]
pub unsafe extern "C" fn glasspoll_attach(options: *const c_char) -> c_int {
    let words = match options.is_null() {
        true => c"",
        // SAFETY: the caller's promise.
        false => unsafe { CStr::from_ptr(options) },
    };
    if arrival::is_in_a_static_program() {
        return -libc::ENOSYS;
    }
    as_number(guarded(Err(Errno::EIO), || attach(words)))
}

/// Ends an attach. Returns the number of slots that were put back, or an errno, negated.
#[no_mangle]
pub extern "C" fn glasspoll_detach() -> c_int {
    if arrival::is_in_a_static_program() {
        return -libc::ENOTCONN;
    }
    as_number(guarded(Err(Errno::EIO), || detach(false)))
}

/// Ends an attach that is to last as long as a command looks: `look=yes` among its options. EISCONN: it is to stay.
#[no_mangle]
pub extern "C" fn glasspoll_end_look() -> c_int {
    if arrival::is_in_a_static_program() {
        return -libc::ENOTCONN;
    }
    as_number(guarded(Err(Errno::EIO), || detach(true)))
}

fn as_number(result: Result<usize, Errno>) -> c_int {
    result.map_or_else(|errno| -errno.into_raw(), |count| count.try_into().unwrap_or(c_int::MAX))
}

fn attach(words: &CStr) -> Result<usize, Errno> {
    if !is_late() {
        return Err(Errno::EBUSY);
    }
    let options = words.to_str().ok().and_then(Options::of_attach).ok_or(Errno::EINVAL)?;
    // The calling thread was interrupted in the midst of a call of ours.
    let _guard = context::enter().ok_or(Errno::EAGAIN)?;
    let is_look = words.to_bytes().split(|byte| *byte == b';').any(|word| word == LOOK);
    let mut attached = ATTACHED.lock();
    if let Some(attached) = &mut *attached {
        attached.stays |= !is_look;
        return Err(if attached.stays { Errno::EISCONN } else { Errno::EALREADY });
    }
    real::look_up_all();
    process::start_late(options)?;
    let glibc = Code::find();
    let names = Names::find_all(&glibc);
    wait_for_the_loader();
    let mut slots = Slots::default();
    arrival::set_attached(true);
    let look = slots.take(&names, &glibc, true);
    let count = slots.count();
    if count == 0 {
        arrival::set_attached(false);
        process::sleep_again();
        return Err(Errno::ENOSYS);
    }
    tracing::info!(target: "glasspoll", slots = count, others = slots.others, changes = ?look.changes, "attached");
    // The loader may be binding a slot just now, over what we have stored.
    *attached = Some(Attached { glibc, names, slots, seen: None, stays: !is_look });
    observe::arrive(look_for_new_objects);
    if process::lacks_its_record() {
        drop(attached);
        let _ = put_back();
        return Err(Errno::ENOSPC);
    }
    Ok(count)
}

/// Detaches; of a look alone, unless the library is to stay attached.
fn detach(of_look: bool) -> Result<usize, Errno> {
    if !is_late() {
        return Err(Errno::ENOTCONN);
    }
    let _guard = context::enter().ok_or(Errno::EAGAIN)?;
    if of_look && ATTACHED.lock().as_ref().is_some_and(|attached| attached.stays) {
        return Err(Errno::EISCONN);
    }
    put_back()
}

/// Ends an attach. The caller is inside.
fn put_back() -> Result<usize, Errno> {
    let mut attached = ATTACHED.lock();
    let Attached { names, slots, .. } = attached.take().ok_or(Errno::ENOTCONN)?;
    let count = slots.put_back(&names);
    arrival::set_attached(false);
    process::sleep_again();
    observe::depart();
    Ok(count)
}

/// Takes the slots of objects that the loader has loaded since. The caller is inside, and calls once a second at most.
pub fn look_for_new_objects() {
    if !is_attached() || !ATTACHED.is_free() {
        return;
    }
    let mut attached = ATTACHED.lock();
    let Some(Attached { glibc, names, slots, seen, .. }) = &mut *attached else { return };
    if *seen == Some(objects::changes()) {
        return;
    }
    let look = slots.take(names, glibc, false);
    *seen = look.is_whole.then_some(look.changes);
}

/// Returns when the objects that the loader is loading now are loaded: it takes the loader's lock, which is held all the
/// time.
fn wait_for_the_loader() {
    let mut info = std::mem::MaybeUninit::uninit();
    // SAFETY: valid pointers.
    unsafe { libc::dladdr((glasspoll_detach as *const ()).cast(), info.as_mut_ptr()) };
}
