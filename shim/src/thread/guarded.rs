//! The border to the program: what runs behind it, and panics that stop at it.

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::process::options::complain;
use crate::thread::context;

/// Runs our own work, covered: no handler of the program runs meanwhile, and cancellation waits. If the work
/// panics, returns `fallback`, and the panic does not reach the program.
///
/// Not inlined, so that the callers' frames have nothing to clean up.
#[inline(never)]
pub fn guarded<T>(fallback: T, work: impl FnOnce() -> T) -> T {
    let cover = context::cover();
    let (mut work, mut result) = (Some(work), None);
    context::run_to_the_end(&mut || {
        result = work.take().and_then(|work| catch_unwind(AssertUnwindSafe(work)).ok());
    });
    context::uncover(cover);
    result.unwrap_or_else(|| {
        tracing::error!(target: "glasspoll", "a panic was stopped at the border to the program");
        fallback
    })
}

/// Makes a panic print one line, whatever RUST_BACKTRACE says.
pub fn be_brief() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no reason given");
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
        complain(&format!("a panic, stopped at the border to the program: {what}{place}; please report it"));
    }));
}
