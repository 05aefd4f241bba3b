//! The stack of a thread, copied: of one that sleeps while it sleeps, of one that runs while it stands for a moment.

use std::io::IoSliceMut;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::uio::{process_vm_readv, RemoteIoVec};
use nix::unistd::Pid;

use super::look::{self, Call};
use crate::attach::tracer::{Stop, Tracee};

/// The most that is copied: as many bytes as a deep stack of small frames, or a few large ones.
const MOST: usize = 32 << 10;
/// How long the caller waits for a thread to stand: on a busy machine it may have no processor.
const PATIENCE: Duration = Duration::from_millis(5);

/// A copy of a stack.
#[derive(Clone, Debug)]
pub struct Stack {
    pub ip: u64,
    pub sp: u64,
    /// The frame pointer. None: the kernel does not tell.
    pub bp: Option<u64>,
    pub bytes: Vec<u8>,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It went on, or fell asleep, or did not come to stand in time: another time.
    Gone,
    /// Another process traces it: another time.
    Traced,
    /// We may not.
    Refused(Errno),
}

/// The stack of a thread that sleeps in a call. The thread does not notice.
pub fn asleep(pid: u32, tid: u32, call: &Call) -> Result<Stack, Missing> {
    let bytes = copy(pid, call.sp)?;
    // What was copied is its stack if it has slept all the time.
    match look::call(pid, tid) {
        Some(again) if again == *call => Ok(Stack { ip: call.pc, sp: call.sp, bp: None, bytes }),
        _ => Err(Missing::Gone),
    }
}

/// A running thread's stack, when it comes, and how long the thread stood for that, at most.
pub type Standing = Receiver<Result<(Stack, Duration), Missing>>;

/// Begins to copy the stack of a thread that runs. A thread that sleeps is left alone: some calls end with EINTR if they
/// are interrupted.
///
/// The thread that traces is one of its own: when it ends, also because the command is killed, the kernel lets go of all
/// that it traces. It waits for as long as the thread has no processor to stop on.
pub fn running(pid: u32, tid: u32) -> Standing {
    let (tell, told) = mpsc::channel();
    let _ = thread::Builder::new().name("stop".into()).spawn(move || tell.send(stand(pid, tid)));
    told
}

/// What came of it, if it does not take too long.
pub fn wait(standing: &Standing) -> Option<Result<(Stack, Duration), Missing>> {
    match standing.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => None,
        result => Some(result.unwrap_or(Err(Missing::Gone))),
    }
}

/// This thread goes before others from now on, if the user may have it so: it is short, and another one stands meanwhile.
fn hurry() {
    // SAFETY: an all-zero value is valid. On musl it has more fields.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 1;
    // SAFETY: the pointer is valid; the call concerns this thread alone.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters) };
}

fn stand(pid: u32, tid: u32) -> Result<(Stack, Duration), Missing> {
    hurry();
    // The kernel refuses a thread that is traced, or that has just ended, as one that may not be traced.
    let tracee = Tracee::seize(pid, tid).map_err(|errno| match look::tracer(pid, tid) {
        _ if errno == Errno::ESRCH => Missing::Gone,
        None => Missing::Gone,
        Some(0) => Missing::Refused(errno),
        Some(_) => Missing::Traced,
    })?;
    if !look::runs(pid, tid) {
        return Err(Missing::Gone);
    }
    let asked = Instant::now();
    tracee.interrupt().map_err(|_| Missing::Gone)?;
    let early = tracee.stands(false);
    // A thread that does not stand at once may have no processor; then it stands from when we are woken on.
    let (stop, since) = match early {
        Some(stop) => (stop, asked),
        None => (tracee.stands(true).ok_or(Missing::Gone)?, Instant::now()),
    };
    let copied = match stop {
        Stop::Interrupted => tracee.registers().ok().and_then(|registers| {
            // A call that ends with EINTR because of us is made once more, unless a signal has come as well.
            if let Some(again) = registers.after_interruption().filter(|_| !tracee.has_signal()) {
                let _ = tracee.set_registers(&again);
            }
            let (ip, sp) = (registers.ip(), registers.stack());
            Some(Stack { ip, sp, bp: Some(registers.frame()), bytes: copy(pid, sp).ok()? })
        }),
        _ => None,
    };
    let signal = if let Stop::Signal(signal) = stop { signal } else { 0 };
    let _ = tracee.release(signal);
    copied.map(|stack| (stack, since.elapsed())).ok_or(Missing::Gone)
}

/// Memory of a process from an address on, as much as there is.
pub fn copy(pid: u32, address: u64) -> Result<Vec<u8>, Missing> {
    let mut bytes = vec![0; MOST];
    let pid = Pid::from_raw(i32::try_from(pid).map_err(|_| Missing::Gone)?);
    let remote = RemoteIoVec { base: address as usize, len: MOST };
    match process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &[remote]) {
        Ok(len) => bytes.truncate(len),
        Err(errno @ (Errno::EPERM | Errno::ENOSYS)) => return Err(Missing::Refused(errno)),
        Err(_) => return Err(Missing::Gone),
    }
    Ok(bytes)
}

impl Stack {
    /// The word at an address.
    pub fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.sp)?).ok()?;
        self.bytes.get(at..at.checked_add(8)?)?.first_chunk().map(|word| u64::from_ne_bytes(*word))
    }

    /// What the frame pointer may be, if it is not known: below a return address.
    pub fn frame_pointers<'a>(
        &'a self,
        is_code: impl Fn(u64) -> bool + 'a,
    ) -> impl Iterator<Item = u64> + 'a {
        let end = self.sp.saturating_add(self.bytes.len() as u64);
        (self.sp.next_multiple_of(8)..end)
            .step_by(8)
            .filter(move |at| self.word(at + 8).is_some_and(&is_code))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::procfs::names;
    use crate::sample::look::Look;

    #[test]
    fn a_running_thread_stands_for_a_moment_and_is_let_go() {
        let mut child =
            Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        let until = Instant::now() + Duration::from_secs(20);
        let stack = loop {
            match running(pid, pid).recv().unwrap() {
                Ok((stack, _)) => break Some(stack),
                // Where the test may not trace, there is nothing to test.
                Err(Missing::Refused(_)) => break None,
                Err(Missing::Gone | Missing::Traced) => assert!(Instant::now() < until),
            }
        };
        assert!(stack.is_none_or(|stack| stack.ip != 0 && stack.bytes.len() > 64 && stack.bp.is_some()));
        let is_traced = || {
            let status = names::read(format!("/proc/{pid}/status")).unwrap();
            !status.contains("TracerPid:\t0\n")
        };
        while is_traced() {
            assert!(Instant::now() < until);
        }
        assert_eq!(Look::at(pid, pid).unwrap().state, b'R');
        // Its end is still ours to see.
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn the_stack_of_a_sleeping_thread_is_copied_without_stopping_it() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id();
        let until = Instant::now() + Duration::from_secs(20);
        let stack = loop {
            assert!(Instant::now() < until);
            // Where the test may not look, there is nothing to test.
            let Ok(_) = std::fs::read_to_string(format!("/proc/{pid}/syscall")) else { break None };
            let Some(call) = look::call(pid, pid).filter(|call| call.number.name() == "clock_nanosleep")
            else {
                continue;
            };
            assert_eq!(running(pid, pid).recv().unwrap().err(), Some(Missing::Gone));
            break asleep(pid, pid, &call).ok();
        };
        assert!(stack.is_none_or(|stack| stack.bytes.len() > 64 && stack.bp.is_none()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn words_are_read_within_the_copy() {
        let bytes: Vec<u8> = [7u64, 0x1018, 0x5000, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let stack = Stack { ip: 0, sp: 0x1000, bp: None, bytes };
        assert_eq!((stack.word(0x1000), stack.word(0x1019), stack.word(0xfff)), (Some(7), None, None));
        assert_eq!(stack.frame_pointers(|address| address == 0x5000).collect::<Vec<_>>(), [0x1008]);
    }
}
