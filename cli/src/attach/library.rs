//! The library in the target: whether it is there already, whether the target sees our file of it, and how it is
//! handed in if not.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::descriptors::Raised;
use super::errand::Errand;
use super::fault::step;
use super::maps::Mapped;
use super::object::Object;
use super::refusal::Refusal;
use super::room::Room;
use super::target::Target;
use super::visit::{visit, Visited};
use crate::program;

/// Its name, and that of the memfd by which it is handed in.
const NAME: &str = "libglasspoll.so";
const MFD_CLOEXEC: u64 = 1;

/// The file of it.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    file: File,
}

impl Library {
    /// Finds it.
    pub fn find() -> Result<Self, Refusal> {
        let path = program::library::find().map_err(Refusal::Trouble)?;
        let file =
            File::open(&path).map_err(|error| Refusal::Trouble(format!("{}: {error}", path.display())))?;
        Ok(Self { path, file })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether the target sees the same file under the same path.
    fn is_seen_by(&self, pid: u32) -> bool {
        let its = fs::metadata(format!("/proc/{pid}/root{}", self.path.display()));
        match (its, self.file.metadata()) {
            (Ok(its), Ok(ours)) => (its.dev(), its.ino()) == (ours.dev(), ours.ino()),
            _ => false,
        }
    }

    /// Has the target load it and call a function of it with a text.
    pub fn load(
        &self,
        target: &Target,
        room: Room,
        call: (&'static str, &str),
        until: Instant,
    ) -> Result<Visited, Refusal> {
        match self.load_as_it_is(target, room, call, until) {
            Err(Refusal::NoDescriptor) => {
                let _raised = Raised::of(target.pid)?;
                self.load_as_it_is(target, room, call, until)
            }
            visited => visited,
        }
    }

    fn load_as_it_is(
        &self,
        target: &Target,
        room: Room,
        (name, argument): (&'static str, &str),
        until: Instant,
    ) -> Result<Visited, Refusal> {
        let load = |path: String| {
            let errand = Errand::Load { path, name, argument: argument.into() };
            visit(target, room, &errand, until).map_err(|refusal| match refusal {
                Refusal::Loader(words) if words.contains("Too many open files") => Refusal::NoDescriptor,
                refusal => refusal,
            })
        };
        if let Some(path) = self.path.to_str().filter(|_| self.is_seen_by(target.pid)) {
            match load(path.into()) {
                // Its user may not go through our folders.
                Err(Refusal::Loader(words)) if words.contains("cannot open shared object file") => {}
                visited => return visited,
            }
        }
        if !Path::new(&format!("/proc/{}/root/proc/self/fd", target.pid)).exists() {
            // A chroot without /proc: no path leads to a memfd there.
            let guest = GuestFile::put(target.pid, &self.file)?;
            step();
            return load(guest.path.clone());
        }
        let fd = match left(target.pid) {
            Some(fd) => fd,
            None => {
                let errand = Errand::Memfd { name: NAME, flags: MFD_CLOEXEC };
                let made = visit(target, room, &errand, until)?.value;
                i32::try_from(made).ok().filter(|fd| *fd >= 0).ok_or_else(|| {
                    if made == -i64::from(libc::EMFILE) {
                        return Refusal::NoDescriptor;
                    }
                    let error = io::Error::from_raw_os_error(-made as i32);
                    Refusal::Trouble(format!("memfd_create in it: {error}"))
                })?
            }
        };
        step();
        let filled = self.fill(target.pid, fd);
        step();
        let visited = match filled {
            Ok(()) => load(format!("/proc/self/fd/{fd}")),
            Err(error) => Err(Refusal::Trouble(format!("the library cannot be handed in: {error}"))),
        };
        // Loaded or not, the descriptor is of no use any more.
        let closed = self.close_left(target, room, until);
        let mut visited = visited?;
        visited.stopped += closed?;
        Ok(visited)
    }

    /// Has the target close the memfd, if there is one. Returns how long a thread stood for that.
    pub fn close_left(&self, target: &Target, room: Room, until: Instant) -> Result<Duration, Refusal> {
        let close = |fd| visit(target, room, &Errand::Close { fd }, until).map(|visited| visited.stopped);
        left(target.pid).map_or(Ok(Duration::ZERO), close)
    }

    fn fill(&self, pid: u32, fd: i32) -> io::Result<()> {
        let mut to = OpenOptions::new().write(true).truncate(true).open(format!("/proc/{pid}/fd/{fd}"))?;
        copy(&self.file, &mut to)
    }

    /// A function of it in a target that has loaded it; None: the target has not.
    pub fn function_in(&self, target: &Target, name: &str) -> Option<u64> {
        let id = self.file.metadata().ok().map(|meta| {
            (format!("{:02x}:{:02x}", libc::major(meta.dev()), libc::minor(meta.dev())), meta.ino())
        });
        let is_it = |object: &&Mapped| {
            let name = object.name();
            // A new build may have taken the place of the file since.
            let name = name.strip_suffix(" (deleted)").unwrap_or(name);
            name == NAME
                || name.strip_prefix("memfd:") == Some(NAME)
                || name.starts_with(GUEST)
                || id.as_ref() == Some(&object.file)
        };
        let mut all = target.objects.iter().filter(is_it);
        all.find_map(|object| Object::read(&target.memory, object.base)?.function(name))
    }
}

/// How the name begins of a file that is handed in.
const GUEST: &str = ".libglasspoll-";

/// A copy of the library below the root of a target, for the moment in which it is loaded.
struct GuestFile {
    /// As the target sees it.
    path: String,
    /// As we see it.
    here: PathBuf,
}

impl GuestFile {
    /// Puts it where we may.
    fn put(pid: u32, library: &File) -> Result<Self, Refusal> {
        let name = format!("{GUEST}{:x}-{:x}.so", std::process::id(), unique());
        let mut why = io::Error::from(io::ErrorKind::NotFound);
        for folder in ["", "/tmp", "/run", "/var/run", "/dev"] {
            let path = format!("{folder}/{name}");
            let guest = Self { here: PathBuf::from(format!("/proc/{pid}/root{path}")), path };
            let made = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&guest.here);
            match made.and_then(|mut to| copy(library, &mut to)) {
                Ok(()) => return Ok(guest),
                Err(error) => why = error,
            }
        }
        Err(Refusal::Trouble(format!("its root has no /proc, and no folder that takes the library: {why}")))
    }
}

impl Drop for GuestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.here);
    }
}

/// A number that nobody can guess, so that nobody else has made the file.
fn unique() -> u64 {
    let mut bytes = [0; 8];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}

fn copy(library: &File, to: &mut File) -> io::Result<()> {
    let mut from = File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(library)))?;
    io::copy(&mut from, to).map(drop)
}

/// The memfd that a command has left that was killed while it handed the library in.
fn left(pid: u32) -> Option<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let name = format!("/memfd:{NAME} (deleted)");
    entries.flatten().find_map(|entry| {
        let is_it = fs::read_link(entry.path()).is_ok_and(|link| link == Path::new(&name));
        is_it.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    })
}
