//! Faults: every system call that the library makes for itself fails, one after another and for good, and the program
//! must get the same results as without.
//!
//! A scenario is run clean first, which counts the calls. Then it is run once for every call and every errno that it
//! may give ([`Call::errnos`]), with that one call failing; and once for every kind of call and every way in which a
//! sandbox refuses it ([`Call::refusals`]), from the first on and from the middle on. Each run must end as the clean
//! one does. It may end with the ENOMEM, EMFILE or ENFILE of an epoll_create or an ADD that was tried three times, if
//! that is what was injected; and it may say one line.

mod call;
mod collector;
mod command;
mod scenario;
mod survey;
mod table;
mod tracer;

pub use call::Call;
pub use collector::Collector;
pub use command::main as command;
pub use scenario::{run as run_scenario, ALL as SCENARIOS};
pub use survey::{survey, Extent, Options, Survey};
pub use table::{filled, unnamed};
pub use tracer::{run, Fault, Run};
