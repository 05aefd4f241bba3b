//! The process as /proc tells it, before anything of it is touched: whether it can be attached to at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use nix::unistd::Pid;

use super::maps::{self, Mapped, Mapping};
use super::memory::Process;
use super::object::Object;
use super::refusal::{Forbidden, Refusal, Seccomp};
use crate::procfs::names;
use crate::program::elf::{self, Loading, Machine, Version};
use crate::text::units::clean;

/// The most that is read of a map: a process may have 65,530 mappings, each with a long path.
const MOST: u64 = 1 << 26;
/// `PF_KTHREAD`. Linux: `include/linux/sched.h`.
const KERNEL_THREAD: u64 = 0x20_0000;

/// A process that may be attached to.
#[derive(Debug)]
pub struct Target {
    pub pid: u32,
    pub memory: Process,
    pub mappings: Vec<Mapping>,
    pub objects: Vec<Mapped>,
    pub libc: Object,
    /// The glibc that it is.
    pub version: Option<Version>,
    /// Where the objects are that `Object::read` was asked for.
    pub libc_base: u64,
    /// Its seccomp filter is to be asked.
    pub is_filtered: bool,
}

/// A field of `/proc/PID/status`.
pub fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

impl Target {
    /// Looks at a process. `force`: a seccomp filter that cannot be read is no reason.
    pub fn look(pid: u32, force: bool) -> Result<Self, Refusal> {
        let status = names::read(format!("/proc/{pid}/status")).ok_or(Refusal::NoProcess)?;
        check_state(pid, &status)?;
        may_trace(pid, &status)?;
        check_machine(pid)?;
        let mappings = mappings(pid)?;
        let objects = maps::objects(&mappings);
        let libc = find_libc(pid, &objects)?;
        let pid_of = Pid::from_raw(i32::try_from(pid).map_err(|_| Refusal::NoProcess)?);
        let memory = Process(pid_of);
        let base = libc.base;
        let libc = Object::read(&memory, base).ok_or(Refusal::NoLibc)?;
        let is_filtered = check_seccomp(&status)? && !force;
        Ok(Self { pid, is_filtered, memory, mappings, objects, version: libc.version, libc, libc_base: base })
    }

    /// Refuses a glibc that is older than a library needs.
    pub fn check_glibc(&self, library: &File) -> Result<(), Refusal> {
        match (self.version, elf::glibc_needed(library)) {
            (Some(its), Some(needed)) if its < needed => Err(Refusal::Glibc(its, needed)),
            _ => Ok(()),
        }
    }

    /// A function of its libc.
    pub fn function(&self, name: &'static str) -> Result<u64, Refusal> {
        self.libc.function(name).ok_or(Refusal::NoFunction(name))
    }

    /// Whether an address lies in the loader's own data, where its locks are.
    pub fn is_in_loader(&self, address: u64) -> bool {
        let loaders = self.objects.iter().filter(|object| object.is_loader());
        let mut data =
            loaders.filter_map(|loader| Object::read(&self.memory, loader.base)?.data("_rtld_global"));
        data.any(|data| data.contains(&address))
    }
}

fn mappings(pid: u32) -> Result<Vec<Mapping>, Refusal> {
    let mut text = Vec::new();
    let read =
        File::open(format!("/proc/{pid}/maps")).and_then(|file| file.take(MOST).read_to_end(&mut text));
    read.map_err(|error| Refusal::Trouble(format!("/proc/{pid}/maps: {error}")))?;
    Ok(maps::parse(&text))
}

fn check_state(pid: u32, status: &str) -> Result<(), Refusal> {
    if pid == std::process::id() {
        return Err(Refusal::Ourselves);
    }
    let process = field(status, "Tgid").and_then(|text| text.parse().ok()).unwrap_or(pid);
    if process != pid {
        return Err(Refusal::Thread(process));
    }
    let stat = names::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may have any characters.
    let flags = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
    if flags.is_some_and(|flags| flags & KERNEL_THREAD != 0) {
        return Err(Refusal::Kernel);
    }
    let state = field(status, "State").and_then(|text| text.chars().next());
    if matches!(state, Some('Z' | 'X')) {
        return Err(Refusal::Zombie);
    }
    match tracer(status) {
        Some(tracer) if is_brief(tracer) => Ok(()),
        Some(tracer) => Err(traced(tracer)),
        None if state == Some('T') => Err(Refusal::Stopped),
        None => Ok(()),
    }
}

/// The refusal that names a tracer, by one of its threads.
pub fn traced(tracer: u32) -> Refusal {
    let process = process_of(tracer);
    Refusal::Traced(process, clean(&names::comm(process).unwrap_or_else(|| "process".into())))
}

fn process_of(tid: u32) -> u32 {
    let status = names::read(format!("/proc/{tid}/status")).unwrap_or_default();
    field(&status, "Tgid").and_then(|text| text.parse().ok()).unwrap_or(tid)
}

/// Whether a tracer is this command, or one like it: it looks at a stack or attaches, and lets go in a moment.
pub fn is_brief(tracer: u32) -> bool {
    let (process, own) = (process_of(tracer), std::process::id());
    process == own || names::comm(process).is_some_and(|comm| Some(comm) == names::comm(own))
}

/// Why none of its threads can be asked. None: they only stand for a moment, because another command looks at them.
pub fn why_none(pid: u32) -> Option<Refusal> {
    let status = names::read(format!("/proc/{pid}/status")).unwrap_or_default();
    match field(&status, "State").and_then(|text| text.chars().next()) {
        None | Some('Z' | 'X') => Some(Refusal::Ended),
        Some('T') => Some(Refusal::Stopped),
        Some(_) => None,
    }
}

/// The thread that traces a thread with this status.
pub fn tracer(status: &str) -> Option<u32> {
    field(status, "TracerPid")?.parse().ok().filter(|tracer| *tracer != 0)
}

/// /proc/PID/mem may be opened by whoever may trace the process: the kernel asks the same questions.
fn may_trace(pid: u32, status: &str) -> Result<(), Refusal> {
    match OpenOptions::new().read(true).open(format!("/proc/{pid}/mem")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Refusal::Forbidden(why_forbidden(pid, status)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Refusal::NoProcess),
        Err(error) => Err(Refusal::Trouble(format!("/proc/{pid}/mem: {error}"))),
    }
}

/// The first reason that applies. Linux: `kernel/ptrace.c:__ptrace_may_access`, `security/yama/yama_lsm.c`.
pub fn why_forbidden(pid: u32, status: &str) -> Forbidden {
    let ours = names::read("/proc/self/status".into()).unwrap_or_default();
    let users = |status: &str| -> Vec<u32> {
        let words = field(status, "Uid").unwrap_or_default().split_whitespace().take(3);
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let capabilities = |status: &str| {
        field(status, "CapPrm").and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
    };
    let me = crate::sys::user();
    if let Some(other) = users(status).into_iter().find(|user| *user != me) {
        return Forbidden::User(other);
    }
    if capabilities(status) & !capabilities(&ours) != 0 {
        return Forbidden::Capabilities;
    }
    // The kernel gives the files of a process that may not be dumped to root.
    if fs::metadata(format!("/proc/{pid}/status")).is_ok_and(|meta| meta.uid() != me) {
        return Forbidden::NotDumpable;
    }
    let scope =
        names::read("/proc/sys/kernel/yama/ptrace_scope".into()).and_then(|text| text.trim().parse().ok());
    scope.filter(|scope| *scope > 0).map_or(Forbidden::Unknown, Forbidden::Yama)
}

fn check_machine(pid: u32) -> Result<(), Refusal> {
    let machine = |path: &str| {
        let mut head = [0; 64];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok()?;
        Machine::of(&head)
    };
    let its = machine(&format!("/proc/{pid}/exe"));
    match (its, machine("/proc/self/exe")) {
        (Some(its), Some(ours)) if its != ours => Err(Refusal::Machine(its.name(), ours.name())),
        _ => Ok(()),
    }
}

fn find_libc(pid: u32, objects: &[Mapped]) -> Result<&Mapped, Refusal> {
    let mut all = objects.iter().filter(|object| object.is_glibc());
    match (all.next(), all.next()) {
        (Some(libc), None) => return Ok(libc),
        (Some(_), Some(_)) => return Err(Refusal::SeveralLibcs),
        _ => {}
    }
    if let Some(musl) = objects.iter().find(|object| object.is_musl()) {
        return Err(Refusal::Musl(clean(&musl.path)));
    }
    let program = File::open(format!("/proc/{pid}/exe")).ok();
    match program.and_then(|file| elf::loading(&file)) {
        Some(Loading::By(loader)) if loader.to_string_lossy().contains("ld-musl-") => {
            Err(Refusal::Musl(clean(&loader.display().to_string())))
        }
        Some(Loading::By(_)) => Err(Refusal::NoLibc),
        _ => Err(Refusal::Static),
    }
}

/// Whether it has a filter.
fn check_seccomp(status: &str) -> Result<bool, Refusal> {
    match field(status, "Seccomp") {
        Some("1") => Err(Refusal::Seccomp(Seccomp::Strict)),
        mode => Ok(mode == Some("2")),
    }
}
