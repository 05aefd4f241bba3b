//! What is said of a call that sleeps.

use glasspoll_record::event::Call;

/// The call in words.
pub fn of(call: Call) -> &'static str {
    match call {
        Call::Read => "a read",
        Call::Write => "a write",
        Call::Accept => "an accept",
        Call::Connect => "a connect",
        Call::Lock => "a lock",
        Call::Lookup => "a name lookup",
        Call::Sleep => "a sleep",
        Call::Wait => "waiting for a child process",
        Call::Command => "a command (system, popen or pclose)",
        Call::Poll => "a poll or select beside the set",
        Call::Sync => "fsync",
        Call::Semaphore => "sem_wait",
        Call::Join => "pthread_join",
    }
}

/// What to do instead.
pub fn advice(call: Call) -> &'static str {
    match call {
        Call::Read => "Set O_NONBLOCK, and read when EPOLLIN says that something is there; files can be read in another thread.",
        Call::Write => "Set O_NONBLOCK, keep what is refused, and go on when EPOLLOUT says that there is room.",
        Call::Accept => "Set O_NONBLOCK on the listener: the client may be gone by the time it is accepted.",
        Call::Connect => "Set O_NONBLOCK before connect(2), wait for EPOLLOUT, and ask SO_ERROR for the result.",
        Call::Lock => "Ask with LOCK_NB (F_SETLK), and try again later by a timer; or take the lock in another thread.",
        Call::Lookup => "Look names up in another thread, or by getaddrinfo_a(3) or c-ares, and keep the addresses.",
        Call::Sleep => "Use the timeout of the wait or a timerfd(2) instead of a sleep.",
        Call::Wait => "Wait for children by a pidfd or a signalfd(2) in the set, and call waitpid(2) with WNOHANG.",
        Call::Command => "Start the program by posix_spawn(3), and watch its pipe and its pidfd in the set.",
        Call::Poll => "Add these descriptors to the set instead of polling them beside it.",
        Call::Sync => "Call fsync(2) in another thread, or by io_uring, and have it wake the loop by an eventfd.",
        Call::Semaphore => "Have the other thread wake the loop by an eventfd instead of a semaphore.",
        Call::Join => "Join threads when they have said by an eventfd that they are done.",
    }
}
