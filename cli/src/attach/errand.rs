//! What a thread of the target is to do for us, as the bytes that lie below its stack: a `Block`, and the texts that it
//! points to.

use super::arch::{self, Block, Registers};
use super::cancel;
use super::refusal::Refusal;
use super::room::Room;
use super::target::Target;

/// The area below the stack pointer that functions may use without moving it.
const RED_ZONE: u64 = 128;
/// The stack on which the calls run.
const STACK: u64 = 1 << 19;
const RTLD_NOW: u64 = 2;
const RTLD_NODELETE: u64 = 0x1000;
/// The signals that come of the code itself are not blocked: blocked, they would kill.
const OWN: [i32; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// It.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Open a library, and call a function of it with a text.
    Load { path: String, name: &'static str, argument: String },
    /// Call a function with a text.
    Call { function: u64, argument: String },
    /// `memfd_create(name, flags)`
    Memfd { name: &'static str, flags: u64 },
    /// `close(fd)`
    Close { fd: i32 },
}

impl Errand {
    fn texts(&self) -> [&str; 3] {
        match self {
            Self::Load { path, name, argument } => [path, name, argument],
            Self::Call { argument, .. } => ["", "", argument],
            Self::Memfd { name, .. } => ["", "", name],
            Self::Close { .. } => [""; 3],
        }
    }

    fn len(&self) -> u64 {
        let texts: usize = self.texts().iter().map(|text| text.len() + 1).sum();
        (size_of::<Block>() + texts) as u64
    }

    /// Where it goes, for a thread with these registers.
    pub fn place(&self, registers: &Registers) -> u64 {
        registers.stack().saturating_sub(RED_ZONE + self.len()) & !63
    }

    /// Its bytes there.
    pub fn bytes(&self, target: &Target, room: Room, registers: &Registers) -> Result<Vec<u8>, Refusal> {
        let at = self.place(registers);
        let mut addresses = [0; 3];
        let mut texts = Vec::new();
        for (address, text) in addresses.iter_mut().zip(self.texts()) {
            *address = at + (size_of::<Block>() + texts.len()) as u64;
            texts.extend(text.bytes().filter(|byte| *byte != 0));
            texts.push(0);
        }
        let [path, name, argument] = addresses;
        let blocked = OWN.iter().fold(u64::MAX, |mask, signal| mask & !(1 << (signal - 1)));
        let mut block = Block {
            resume: registers.ip(),
            stack: registers.stack(),
            answer: room.answer,
            stack_size: STACK,
            extended: arch::extended_size(),
            errno_location: target.function("__errno_location")?,
            dlopen: target.function("dlopen")?,
            dlsym: target.function("dlsym")?,
            dlerror: target.function("dlerror")?,
            path,
            flags: RTLD_NOW | RTLD_NODELETE,
            name,
            argument,
            call: u64::MAX,
            blocked,
            cancel: cancel::word(target, registers.thread()).unwrap_or(0),
            cancelled: cancel::cancelled(target),
            ..Block::default()
        };
        match self {
            Self::Load { .. } => {}
            Self::Call { function, .. } => block.function = *function,
            Self::Memfd { flags, .. } => (block.call, block.second) = (libc::SYS_memfd_create as u64, *flags),
            Self::Close { fd } => (block.call, block.argument) = (libc::SYS_close as u64, *fd as u64),
        }
        Ok([block.bytes(), &texts].concat())
    }
}
