//! What depends on the machine: the code that a thread of the target runs for us, and its registers.

mod x86_64;

pub use x86_64::{code, extended_size, Registers, VECTORS};

/// What the code is to do, and where it goes on after that. It lies on the thread's stack, below all that is in use.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    /// Where the thread goes on.
    pub resume: u64,
    /// Its stack pointer there.
    pub stack: u64,
    /// Where an `Answer` goes.
    pub answer: u64,
    /// How large a stack is mapped for the calls.
    pub stack_size: u64,
    /// Nonzero: the vector registers are kept with `xsave`.
    pub extended: u64,
    pub errno_location: u64,
    pub dlopen: u64,
    pub dlsym: u64,
    pub dlerror: u64,
    /// A path and flags for dlopen.
    pub path: u64,
    pub flags: u64,
    /// The name of a function in what was opened.
    pub name: u64,
    /// The function itself: then nothing is opened.
    pub function: u64,
    /// Its argument.
    pub argument: u64,
    /// The number of a system call with two arguments that is made in place of all that; -1: none.
    pub call: u64,
    pub second: u64,
    /// The signals that wait meanwhile.
    pub blocked: u64,
    /// The word in which libc keeps whether the thread may be cancelled, and is; 0: it is not known.
    pub cancel: u64,
    /// The bits of it that the code looks at when it puts that back.
    pub cancelled: u64,
    /// Room for the code: the thread's own mask, errno and where that is.
    pub mask: u64,
    pub errno: u64,
    pub errno_at: u64,
}

/// What the code says. It lies in memory that nobody uses, beyond the data of an object.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `MAGIC`.
    pub magic: u64,
    /// Which visit it is about.
    pub token: u64,
    pub state: u64,
    /// What the function or the call has returned.
    pub value: i64,
    /// The address of dlerror's text.
    pub error: u64,
}

/// `glasspol`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"glasspol");
/// The code has begun.
pub const ENTERED: u64 = 1;
/// The function was called.
pub const DONE: u64 = 2;
/// There is no such library or function.
pub const FAILED: u64 = 3;
/// There was no memory for a stack: `value` is -errno.
pub const NO_MEMORY: u64 = 4;
/// Is added to one of the last three when the signals are as before, and only registers are left to put back.
pub const LEFT: u64 = 16;

impl Block {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: it has only words, so no padding, and lives as long as the slice.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

impl Answer {
    pub const SIZE: usize = size_of::<Self>();

    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let words = [self.magic, self.token, self.state, self.value as u64, self.error];
        bytes.chunks_exact_mut(8).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_ne_bytes()));
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let word = |at: usize| bytes[at * 8..].first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        Self { magic: word(0), token: word(1), state: word(2), value: word(3) as i64, error: word(4) }
    }
}
