//! A visit: a thread of the target is brought to call a function for us, and goes on as if nothing had been.
//!
//! 1. It is found asleep in a safe call (`threads`), or stopped at the end of one.
//! 2. It is stopped. The code is written once for all (`room`), and below its stack what the code is to do.
//! 3. Its registers are set to the code, in one step. From then on it needs us no more: the code keeps the registers,
//!    calls, puts all back, and goes on where the thread was. A wait that was interrupted is made once more.
//! 4. We see the answer in its memory. The thread that traces ends, so the target does not stop a second time.
//!
//! If the command dies before 3, the thread goes on as it was; after 3, it does all by itself.

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::arch::{self, Answer, Block, Registers, DONE, ENTERED, FAILED, LEFT, MAGIC};
use super::cancel;
use super::errand::Errand;
use super::fault::step;
use super::maps;
use super::memory::Memory;
use super::refusal::Refusal;
use super::room::Room;
use super::seccomp;
use super::target::{self, Target};
use super::threads::{self, Candidate};
use super::timeout::Sleep;
use super::tracer::{Stop, Tracee};
use crate::procfs::names;
use crate::text::units::clean;

/// How long a whole attach or detach may take.
pub const BOUND: Duration = Duration::from_secs(2);
/// How long a thread may take to stop, or to come to the end of a safe call.
const PATIENCE: Duration = Duration::from_millis(50);
/// The pause between two looks at the answer.
const PAUSE: Duration = Duration::from_micros(50);
/// What the kernel says when a call is to be made once more. Linux: `include/linux/errno.h`.
const RESTART: [i64; 3] = [-512, -513, -514];
const RESTART_BLOCK: i64 = -516;
const EINTR: i64 = -(libc::EINTR as i64);

/// How a visit went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visited {
    /// What the function has returned.
    pub value: i64,
    /// How long the thread did not do its own work.
    pub stopped: Duration,
}

/// Has a thread of the target run an errand.
pub fn visit(target: &Target, room: Room, errand: &Errand, until: Instant) -> Result<Visited, Refusal> {
    let visitor = Visitor { target, room, errand, until };
    // The thread that traces is one of its own: its end is the end of tracing.
    let visited = thread::scope(|scope| scope.spawn(|| visitor.go()).join());
    wait_until_untraced(target.pid);
    visited.unwrap_or_else(|_| Err(Refusal::Trouble("the tracing thread failed".into())))
}

/// The kernel takes a moment to end the tracing after the thread has ended.
fn wait_until_untraced(pid: u32) {
    let until = Instant::now() + PATIENCE;
    let is_ours = |tid: u32| std::path::Path::new(&format!("/proc/self/task/{tid}")).exists();
    let is_traced = || {
        threads::candidates(pid).iter().any(|one| {
            let status = names::read(format!("/proc/{pid}/task/{}/status", one.tid)).unwrap_or_default();
            target::tracer(&status).is_some_and(&is_ours)
        })
    };
    while is_traced() && Instant::now() < until {
        thread::sleep(PAUSE);
    }
}

struct Visitor<'a> {
    target: &'a Target,
    room: Room,
    errand: &'a Errand,
    until: Instant,
}

/// A thread that stands where it may be asked.
struct Guest {
    tracee: Tracee,
    /// Its registers as it stopped.
    own: Registers,
    /// With which it goes on by itself.
    next: Registers,
    since: Instant,
}

impl Visitor<'_> {
    fn go(&self) -> Result<Visited, Refusal> {
        let mut count;
        loop {
            let all = threads::candidates(self.target.pid);
            count = all.len();
            let mut traced = None;
            let asleep = all.iter().filter(|one| one.is_safe());
            for one in asleep.chain(all.iter().filter(|one| one.is_awake())) {
                let guest = match self.stop(one) {
                    Err(Refusal::Traced(by, name)) if target::is_brief(by) => {
                        traced = Some(Refusal::Traced(by, name));
                        None
                    }
                    guest => guest?,
                };
                if let Some(guest) = guest {
                    if let Some(visited) = self.receive(guest)? {
                        return Ok(visited);
                    }
                }
                if Instant::now() >= self.until {
                    break;
                }
            }
            if let Some(why) = all.is_empty().then(|| target::why_none(self.target.pid)).flatten() {
                return Err(why);
            }
            if Instant::now() >= self.until {
                return Err(traced.unwrap_or(Refusal::NoSafeThread(count)));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Stops a thread where it may be asked; None: it did not come to such a place, and goes on.
    fn stop(&self, one: &Candidate) -> Result<Option<Guest>, Refusal> {
        step();
        let sleep = one.is_timed().then(|| Sleep::of(self.target.pid, one.tid)).flatten();
        let tracee = match Tracee::seize(self.target.pid, one.tid) {
            Ok(tracee) => tracee,
            Err(Errno::ESRCH) => return Ok(None),
            Err(errno) => return Err(self.why_not(one.tid, errno)),
        };
        step();
        let since = Instant::now();
        let until = self.until.min(since + PATIENCE);
        tracee.interrupt()?;
        step();
        let mut is_last = false;
        loop {
            let stop = match tracee.wait(if is_last { self.until } else { until }) {
                Some(stop) => stop,
                // It computes, or sleeps uninterruptibly: a thread can only be let go when it has stopped.
                None if is_last => return Err(Refusal::NoSafeThread(1)),
                None => {
                    is_last = true;
                    tracee.interrupt()?;
                    continue;
                }
            };
            step();
            match stop {
                Stop::Ended => return Ok(None),
                Stop::Group => {
                    tracee.release(0)?;
                    return Err(Refusal::Stopped);
                }
                Stop::Signal(signal) => tracee.go_on_to_call(signal)?,
                Stop::Call if !tracee.ends_call() => tracee.go_on_to_call(0)?,
                Stop::Call | Stop::Interrupted => {
                    let own = tracee.registers()?;
                    let has_signal = tracee.has_signal();
                    let next = next(&own).filter(|_| !has_signal).map(|mut next| {
                        if let (Some(sleep), Some(number), EINTR) = (sleep, own.call(), own.result()) {
                            sleep.shorten(self.target.pid, one.tid, &mut next, number);
                        }
                        next
                    });
                    if let Some(next) = next.filter(|next| self.is_safe(&own) && self.has_stack(next)) {
                        return Ok(Some(Guest { tracee, own, next, since }));
                    }
                    // A call that we interrupted ends with EINTR, which its caller need not know.
                    if let Some(next) = next.filter(|_| own.result() == EINTR) {
                        tracee.set_registers(&next)?;
                    }
                    if is_last && stop == Stop::Interrupted {
                        tracee.release(0)?;
                        return Ok(None);
                    }
                    tracee.go_on_to_call(0)?;
                }
            }
        }
    }

    fn why_not(&self, tid: u32, errno: Errno) -> Refusal {
        let pid = self.target.pid;
        let status = names::read(format!("/proc/{pid}/task/{tid}/status")).unwrap_or_default();
        match target::tracer(&status) {
            Some(tracer) => target::traced(tracer),
            None if errno == Errno::EPERM => Refusal::Forbidden(target::why_forbidden(pid, &status)),
            None => Refusal::Trouble(format!("ptrace: {}", std::io::Error::from(errno))),
        }
    }

    fn is_safe(&self, own: &Registers) -> bool {
        let (at, instruction) = own.instruction();
        let is_call =
            self.target.memory.bytes(at, instruction.len()).is_some_and(|there| there == instruction);
        let number = own.call().filter(|_| is_call);
        number.is_some_and(|number| threads::rank(self.target.pid, number, &own.arguments()).is_some())
    }

    /// Whether what we write below its stack lies in the same mapping, with room for the code's own.
    fn has_stack(&self, next: &Registers) -> bool {
        let lowest = self.errand.place(next).checked_sub(1024);
        let mapping = maps::at(&self.target.mappings, next.stack());
        mapping.zip(lowest).is_some_and(|(mapping, lowest)| {
            mapping.is_private_data() && (lowest >= mapping.begin || mapping.path == "[stack]")
        })
    }

    /// Has it run the code. None: a signal came before it had begun, and it went on by itself.
    fn receive(&self, guest: Guest) -> Result<Option<Visited>, Refusal> {
        let Guest { tracee, own, next, since } = &guest;
        let token = since.elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) << 40;
        if self.target.is_filtered {
            if let Err(why) = seccomp::check(tracee) {
                self.put_back(&guest, None)?;
                return Err(Refusal::Seccomp(why));
            }
        }
        let vectors = tracee.vectors()?;
        let code = arch::code();
        if self.target.memory.bytes(self.room.code, code.len()).as_deref() != Some(code) {
            let (first, second) = code.split_at(code.len() / 16 * 8);
            tracee.write_code(self.room.code, first)?;
            step();
            tracee.write_code(self.room.code + first.len() as u64, second)?;
        }
        step();
        let block_at = self.errand.place(next);
        let answer = Answer { magic: MAGIC, token, ..Answer::default() };
        let written = self.target.memory.write(self.room.answer, &answer.to_bytes())
            && self.target.memory.write(block_at, &self.errand.bytes(self.target, self.room, next)?);
        step();
        if !written {
            self.put_back(&guest, None)?;
            return Err(Refusal::NoRoom);
        }
        tracee.set_registers(&next.visit(self.room.code, block_at))?;
        step();
        tracee.go_on(0)?;
        step();
        loop {
            match tracee.stopped() {
                None => {}
                Some(Stop::Ended) => {
                    // Cancelled just behind the code, perhaps.
                    let done = self.answer(token).ok().filter(|answer| answer.state & LEFT != 0);
                    let answer = done.ok_or(Refusal::Ended)?;
                    return self.outcome(answer, *since).map(Some);
                }
                Some(Stop::Group) => tracee.listen()?,
                Some(Stop::Call | Stop::Interrupted) => tracee.go_on(0)?,
                Some(Stop::Signal(signal)) => {
                    let answer = self.answer(token)?;
                    let in_code = (self.room.code..self.room.code + code.len() as u64)
                        .contains(&tracee.registers()?.ip());
                    if in_code && answer.state == 0 {
                        // A handler may end the thread: not in our code.
                        tracee.set_registers(own)?;
                        tracee.release(signal)?;
                        return Ok(None);
                    }
                    if in_code && answer.state >= DONE {
                        // Only its registers are left to put back. With its own it gets the signal where it was, and
                        // the kernel decides as ever whether the call is made once more.
                        tracee.set_registers(own)?;
                        tracee.go_on(signal)?;
                        return self.outcome(answer, *since).map(Some);
                    }
                    if answer.state < DONE && tracee.is_own_fault(signal) {
                        self.put_back(&guest, Some((block_at, &vectors)))?;
                        return Err(Refusal::Crashed(signal));
                    }
                    tracee.go_on(signal)?;
                }
            }
            let answer = self.answer(token)?;
            if answer.state & LEFT != 0 {
                step();
                return self.outcome(answer, *since).map(Some);
            }
            if Instant::now() >= self.until {
                return Err(self.too_slow(&guest, answer, block_at, &vectors));
            }
            thread::sleep(PAUSE);
        }
    }

    fn answer(&self, token: u64) -> Result<Answer, Refusal> {
        let mut bytes = [0; Answer::SIZE];
        if !self.target.memory.read(self.room.answer, &mut bytes) {
            return Err(Refusal::Ended);
        }
        let answer = Answer::from_bytes(&bytes);
        if answer.magic != MAGIC || answer.token != token {
            return Err(Refusal::Trouble(
                "another glasspoll attaches to it at the same time: try again".into(),
            ));
        }
        Ok(answer)
    }

    fn outcome(&self, answer: Answer, since: Instant) -> Result<Visited, Refusal> {
        let stopped = since.elapsed();
        match answer.state & !LEFT {
            DONE => Ok(Visited { value: answer.value, stopped }),
            FAILED => {
                let words = self.target.memory.text(answer.error, 1024);
                Err(Refusal::Loader(clean(&words.unwrap_or_else(|| "it does not say why".into()))))
            }
            _ => Err(Refusal::Trouble(format!(
                "it has no memory for a stack: {}",
                std::io::Error::from_raw_os_error(-answer.value as i32)
            ))),
        }
    }

    /// The time is over. A thread that waits for the loader's lock has done nothing yet, and is put back. Else it may
    /// hold that lock itself, and has to go on.
    fn too_slow(&self, guest: &Guest, answer: Answer, block_at: u64, vectors: &[u8]) -> Refusal {
        let tracee = &guest.tracee;
        let stop = tracee.interrupt().ok().and_then(|()| tracee.wait(Instant::now() + PATIENCE));
        let (Some(Stop::Interrupted), Ok(now)) = (stop, tracee.registers()) else { return Refusal::TooSlow };
        let waits = now.call() == Some(libc::SYS_futex as u64) && RESTART.contains(&now.result());
        if answer.state == ENTERED && waits && self.target.is_in_loader(now.arguments()[0]) {
            let put_back = self.put_back(guest, Some((block_at, vectors)));
            return put_back.err().unwrap_or(Refusal::LoaderIsBusy);
        }
        if let Some(next) = next(&now).filter(|_| now.result() == EINTR && !tracee.has_signal()) {
            let _ = tracee.set_registers(&next);
        }
        let _ = tracee.release(0);
        Refusal::TooSlow
    }

    /// Puts a stopped thread back to where it was, and lets it go. `begun`: the code has run, and keeps there what the
    /// thread had; the vector registers are these.
    fn put_back(&self, guest: &Guest, begun: Option<(u64, &[u8])>) -> Result<(), Refusal> {
        let tracee = &guest.tracee;
        tracee.set_registers(&guest.next)?;
        if let Some((block_at, vectors)) = begun {
            let mut bytes = [0; size_of::<Block>()];
            if self.target.memory.read(block_at, &mut bytes) {
                let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
                tracee.set_mask(word(std::mem::offset_of!(Block, mask)))?;
                cancel::put_back(self.target, word(std::mem::offset_of!(Block, cancel)));
                let errno_at = word(std::mem::offset_of!(Block, errno_at));
                let errno = word(std::mem::offset_of!(Block, errno)) as u32;
                if errno_at != 0 {
                    self.target.memory.write(errno_at, &errno.to_ne_bytes());
                }
            }
            tracee.set_vectors(vectors)?;
        }
        tracee.release(0)
    }
}

/// With which registers a thread goes on by itself that stands at the end of a system call. A call that we interrupted
/// is made once more, as the kernel itself does it. None: it is in no call.
fn next(own: &Registers) -> Option<Registers> {
    let number = own.call()?;
    Some(match own.result() {
        RESTART_BLOCK => own.again(libc::SYS_restart_syscall as u64),
        EINTR => own.again(number),
        result if RESTART.contains(&result) => own.again(number),
        _ => own.out_of_call(),
    })
}
