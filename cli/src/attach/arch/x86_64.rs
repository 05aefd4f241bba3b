//! x86-64: the code that a thread of the target runs for us, and its registers.

use std::arch::{global_asm, x86_64};

use libc::user_regs_struct;

use super::{Block, DONE, ENTERED, FAILED, LEFT, NO_MEMORY};
use crate::attach::cancel;

/// The set of vector registers: `NT_X86_XSTATE`.
pub const VECTORS: usize = 0x202;
/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

// The code knows its place by nothing but rsp, which points to a `Block`. It keeps all registers below that, and the
// vector registers on a stack of its own. When it has called what the block says, it puts all back and jumps to where
// the thread was. Nobody has to watch it: if the command dies meanwhile, nothing changes for the thread.
//
// rcx and r11 need no keeping: the instruction `syscall` overwrites both, and the thread stands at one or behind one.
global_asm!(
    ".pushsection .rodata.glasspoll_visit, \"a\"",
    ".balign 16",
    ".globl glasspoll_visit_begin",
    ".hidden glasspoll_visit_begin",
    "glasspoll_visit_begin:",
    "pushfq",
    "push rax", "push rbx", "push rdx", "push rsi", "push rdi", "push rbp",
    "push r8", "push r9", "push r10", "push r12", "push r13", "push r14", "push r15",
    "cld",
    "lea rbx, [rsp + 14 * 8]",
    // No signal of the program comes while its registers are not its own.
    "mov eax, 14", // rt_sigprocmask
    "xor edi, edi", // SIG_BLOCK
    "lea rsi, [rbx + {blocked}]",
    "lea rdx, [rbx + {mask}]",
    "mov r10d, 8",
    "syscall",
    "mov r12, [rbx + {answer}]",
    "mov qword ptr [r12 + 16], {ENTERED}",
    // The thread cannot be cancelled from now on. If it could not before, that is left so.
    "mov rcx, [rbx + {cancel}]",
    "test rcx, rcx",
    "jz 2f",
    "lock bts dword ptr [rcx], {CANCEL_DISABLED_BIT}",
    "jnc 2f",
    "mov qword ptr [rbx + {cancel}], 0",
    "2:",
    "mov eax, 9", // mmap
    "xor edi, edi",
    "mov rsi, [rbx + {stack_size}]",
    "mov edx, 3",
    "mov r10d, 0x24022", // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK
    "mov r8, -1",
    "xor r9d, r9d",
    "syscall",
    "cmp rax, -4096",
    "ja 8f",
    "mov r13, rsp",
    "mov r14, rax",
    "mov rsp, rax",
    "add rsp, [rbx + {stack_size}]",
    "mov eax, -1",
    "mov edx, -1",
    "cmp qword ptr [rbx + {extended}], 0",
    "je 2f",
    "xsave64 [r14]",
    "jmp 3f",
    "2: fxsave64 [r14]",
    "3: call qword ptr [rbx + {errno_location}]",
    "mov [rbx + {errno_at}], rax",
    "mov eax, [rax]",
    "mov [rbx + {errno}], rax",
    // A system call, or a function, which may have to be loaded first.
    "mov rax, [rbx + {call}]",
    "cmp rax, -1",
    "je 4f",
    "mov rdi, [rbx + {argument}]",
    "mov rsi, [rbx + {second}]",
    "syscall",
    "mov r15, rax",
    "jmp 6f",
    "4: mov rax, [rbx + {function}]",
    "test rax, rax",
    "jnz 5f",
    "mov rdi, [rbx + {path}]",
    "mov rsi, [rbx + {flags}]",
    "call qword ptr [rbx + {dlopen}]",
    "test rax, rax",
    "jz 7f",
    "mov rdi, rax",
    "mov rsi, [rbx + {name}]",
    "call qword ptr [rbx + {dlsym}]",
    "test rax, rax",
    "jz 7f",
    "5: mov rdi, [rbx + {argument}]",
    "call rax",
    "movsxd r15, eax",
    "6: mov ebp, {DONE}",
    "jmp 9f",
    "7: call qword ptr [rbx + {dlerror}]",
    "mov [r12 + 32], rax",
    "xor r15d, r15d",
    "mov ebp, {FAILED}",
    "9: mov rcx, [rbx + {errno_at}]",
    "mov rax, [rbx + {errno}]",
    "mov [rcx], eax",
    "mov eax, -1",
    "mov edx, -1",
    "cmp qword ptr [rbx + {extended}], 0",
    "je 2f",
    "xrstor64 [r14]",
    "jmp 3f",
    "2: fxrstor64 [r14]",
    "3: mov rsp, r13",
    "mov eax, 11", // munmap
    "mov rdi, r14",
    "mov rsi, [rbx + {stack_size}]",
    "syscall",
    "jmp 9f",
    "8: mov r15, rax",
    "mov ebp, {NO_MEMORY}",
    // It can be cancelled again. An old glibc has sent no signal to a thread that could not be cancelled: it is sent
    // here, and handled where the thread was, as the signals that come meanwhile are.
    "9: mov rcx, [rbx + {cancel}]",
    "test rcx, rcx",
    "jz 4f",
    "mov eax, [rcx]",
    "2: mov edx, eax",
    "and edx, ~{CANCEL_DISABLED}",
    "mov r14d, eax",
    "and r14d, [rbx + {cancelled}]",
    "cmp r14d, {CANCELLED_AT_ONCE}",
    "jne 3f",
    "and edx, ~{CANCELLED}",
    "3: lock cmpxchg [rcx], edx",
    "jne 2b",
    "cmp r14d, {CANCELLED_AT_ONCE}",
    "jne 4f",
    "mov eax, 39", // getpid
    "syscall",
    "mov edi, eax",
    "mov eax, 186", // gettid
    "syscall",
    "mov esi, eax",
    "mov edx, {SIGCANCEL}",
    "mov eax, 234", // tgkill
    "syscall",
    "4: mov [r12 + 24], r15",
    "mov [r12 + 16], rbp",
    "mov eax, 14",
    "mov edi, 2", // SIG_SETMASK
    "lea rsi, [rbx + {mask}]",
    "xor edx, edx",
    "mov r10d, 8",
    "syscall",
    "or rbp, {LEFT}",
    "mov [r12 + 16], rbp",
    "mov rcx, [rbx + {resume}]",
    "mov r11, [rbx + {stack}]",
    "pop r15", "pop r14", "pop r13", "pop r12", "pop r10", "pop r9", "pop r8",
    "pop rbp", "pop rdi", "pop rsi", "pop rdx", "pop rbx", "pop rax",
    "popfq",
    "mov rsp, r11",
    "jmp rcx",
    ".globl glasspoll_visit_end",
    ".hidden glasspoll_visit_end",
    "glasspoll_visit_end:",
    ".popsection",
    resume = const std::mem::offset_of!(Block, resume),
    stack = const std::mem::offset_of!(Block, stack),
    answer = const std::mem::offset_of!(Block, answer),
    stack_size = const std::mem::offset_of!(Block, stack_size),
    extended = const std::mem::offset_of!(Block, extended),
    errno_location = const std::mem::offset_of!(Block, errno_location),
    dlopen = const std::mem::offset_of!(Block, dlopen),
    path = const std::mem::offset_of!(Block, path),
    flags = const std::mem::offset_of!(Block, flags),
    dlsym = const std::mem::offset_of!(Block, dlsym),
    name = const std::mem::offset_of!(Block, name),
    dlerror = const std::mem::offset_of!(Block, dlerror),
    function = const std::mem::offset_of!(Block, function),
    argument = const std::mem::offset_of!(Block, argument),
    second = const std::mem::offset_of!(Block, second),
    call = const std::mem::offset_of!(Block, call),
    blocked = const std::mem::offset_of!(Block, blocked),
    mask = const std::mem::offset_of!(Block, mask),
    errno = const std::mem::offset_of!(Block, errno),
    errno_at = const std::mem::offset_of!(Block, errno_at),
    cancel = const std::mem::offset_of!(Block, cancel),
    cancelled = const std::mem::offset_of!(Block, cancelled),
    CANCEL_DISABLED = const cancel::DISABLED,
    CANCEL_DISABLED_BIT = const cancel::DISABLED.trailing_zeros(),
    CANCELLED = const cancel::CANCELLED,
    CANCELLED_AT_ONCE = const cancel::CANCELLED | cancel::AT_ONCE,
    SIGCANCEL = const cancel::SIGCANCEL,
    ENTERED = const ENTERED,
    DONE = const DONE,
    FAILED = const FAILED,
    NO_MEMORY = const NO_MEMORY,
    LEFT = const LEFT,
);

extern "C" {
    static glasspoll_visit_begin: u8;
    static glasspoll_visit_end: u8;
}

/// The code.
pub fn code() -> &'static [u8] {
    let (begin, end) = (&raw const glasspoll_visit_begin, &raw const glasspoll_visit_end);
    // SAFETY: the assembler has put all that lies between the two labels there, and nothing writes to it.
    unsafe { std::slice::from_raw_parts(begin, end as usize - begin as usize) }
}

/// How many bytes the state of the vector registers has, if the code is to use `xsave`; else 0.
pub fn extended_size() -> u64 {
    if !std::is_x86_feature_detected!("xsave") {
        return 0;
    }
    // SAFETY: a processor with xsave has this leaf. Newer compilers ask for no such word.
    #[allow(unused_unsafe)]
    let leaf = unsafe { x86_64::__cpuid_count(0xd, 0) };
    leaf.ebx.into()
}

/// The registers of a stopped thread.
#[derive(Clone, Copy)]
pub struct Registers(pub user_regs_struct);

impl Registers {
    /// The number of the system call that it is in; None: in none.
    pub fn call(&self) -> Option<u64> {
        (self.0.orig_rax as i64 >= 0).then_some(self.0.orig_rax)
    }

    /// What the call returns.
    pub fn result(&self) -> i64 {
        self.0.rax as i64
    }

    pub fn ip(&self) -> u64 {
        self.0.rip
    }

    pub fn stack(&self) -> u64 {
        self.0.rsp
    }

    pub fn frame(&self) -> u64 {
        self.0.rbp
    }

    /// With which the thread makes its call once more, if that has ended with EINTR.
    pub fn after_interruption(&self) -> Option<Self> {
        let number = self.call()?;
        (self.result() == -i64::from(libc::EINTR)).then(|| self.again(number))
    }

    /// Where the instruction of the call is, and its bytes.
    pub fn instruction(&self) -> (u64, &'static [u8]) {
        (self.0.rip.wrapping_sub(SYSCALL.len() as u64), &SYSCALL)
    }

    /// Where the thread's own data is, as libc has it.
    pub fn thread(&self) -> u64 {
        self.0.fs_base
    }

    /// The arguments of the call.
    pub fn arguments(&self) -> [u64; 6] {
        [self.0.rdi, self.0.rsi, self.0.rdx, self.0.r10, self.0.r8, self.0.r9]
    }

    /// The timeout of an epoll_wait or epoll_pwait; None: another call.
    pub fn timeout(&self, number: u64) -> Option<i32> {
        let is_wait = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait].contains(&(number as i64));
        is_wait.then_some(self.0.r10 as i32)
    }

    pub fn set_timeout(&mut self, milliseconds: u64) {
        self.0.r10 = milliseconds;
    }

    /// As they are for the call to be made once more, as this number.
    pub fn again(&self, number: u64) -> Self {
        let mut all = *self;
        all.0.rip = self.instruction().0;
        all.0.rax = number;
        all.out_of_call()
    }

    /// The kernel does not restart the call.
    pub fn out_of_call(mut self) -> Self {
        self.0.orig_rax = u64::MAX;
        self
    }

    /// As they are for the thread to run the code, with a block; `self` is what it goes on with.
    pub fn visit(&self, code: u64, block: u64) -> Self {
        let mut all = *self;
        all.0.rip = code;
        all.0.rsp = block;
        all
    }
}
