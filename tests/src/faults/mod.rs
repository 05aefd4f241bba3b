//! Faults: every system call that the library makes for itself fails, one after another: once, and from then on. The
//! program must get the same results as without faults.
//!
//! A scenario first runs without faults, which counts the calls. Then it runs once for every call and every errno that
//! the call may give ([`Call::errnos`]), with that one call failing. It also runs once for every kind of call and every
//! way in which a sandbox refuses it ([`Call::refusals`]): from the first call on, and from the middle one on. Each run
//! must end as the run without faults does. It may end with ENOMEM, EMFILE or ENFILE of an epoll_create or an ADD that
//! was tried three times, if that errno was injected; and the library may write one line.

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
