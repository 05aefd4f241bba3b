//! How an epoll call ends.

use glasspoll_reactor::sys::Errno;

/// Answered here, or passed to the kernel's epoll.
pub enum Outcome {
    Done(Result<i32, Errno>),
    /// Not ours: the kernel made this epoll instance, or the library is inert in this process.
    Kernel,
}
