//! Processes of the program that hand in no ring although they have the library: a launcher between has cleared their
//! environment all but LD_PRELOAD, or they cannot reach the socket. Their rings are found through /proc while they
//! live. Those that do not have the library at all, because LD_PRELOAD was cleared too or they cannot load it, lie outside:
//! they are named if they have made an epoll instance.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use glasspoll_record::find::{self, Missing};

use super::listener::{self, Handed};
use crate::procfs::{eventpoll, family, names};
use crate::sys;

/// The pause between two looks while a process is known that will hand in nothing, and otherwise.
const SOON: Duration = Duration::from_millis(1);
const USUAL: Duration = Duration::from_millis(5);
/// Such a process is young for this long: most make their sets soon.
const YOUNG: Duration = Duration::from_secs(5);
/// The pause between two looks for the ring of a process that ought to hand it in.
const RARELY: Duration = Duration::from_millis(500);
/// At the end: between two looks at what lives on, and how many looks there are at most.
const SETTLING: Duration = Duration::from_millis(20);
const TRIES: u32 = 5;
/// When a process is looked at first for whether it lies outside: most have made their sets by then.
const SETTLED: Duration = Duration::from_millis(100);
/// The most processes that are known at a time: each takes a descriptor of ours.
const MOST: usize = 512;
/// Looking takes at most this part of the time: 1 / `SHARE`.
const SHARE: u32 = 20;

/// A process of the program.
struct Known {
    exit: Option<OwnedFd>,
    comm: String,
    /// Since when it has the library and not the path of our socket.
    lost: Option<Instant>,
    /// A ring of its was found here.
    is_found: bool,
    rarely_due: Instant,
    outside_due: Instant,
}

impl Known {
    fn has_ended(&self) -> bool {
        has_ended(self.exit.as_ref())
    }
}

/// The processes of the program.
pub struct Strays {
    root: u32,
    /// What the environment of a process has that hands in its ring.
    ours: Vec<u8>,
    known: BTreeMap<u32, Known>,
    due: Instant,
    pause: Duration,
    /// Processes that ended before their ring was found.
    missed: BTreeMap<u32, String>,
    /// Processes with an epoll instance and without the library.
    outside: BTreeMap<u32, String>,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Fate {
    /// Processes whose rings were found through /proc, with their names.
    pub found: BTreeMap<u32, String>,
    /// Those that ended before their ring was found, if they had one.
    pub missed: BTreeMap<u32, String>,
    /// Those that had an epoll instance and did not have the library, and whether they live on.
    pub outside: BTreeMap<u32, (String, bool)>,
    /// Those that live on and have the library, and whether they have a ring.
    pub living: BTreeMap<u32, (String, bool)>,
}

impl Strays {
    /// Those of a program whose processes hand in their rings at that path.
    pub fn of(root: u32, path: &Path) -> Self {
        let ours = [listener::VARIABLE.as_bytes(), b"=", path.as_os_str().as_bytes()].concat();
        let due = Instant::now();
        Self {
            root,
            ours,
            known: BTreeMap::new(),
            due,
            pause: USUAL,
            missed: BTreeMap::new(),
            outside: BTreeMap::new(),
        }
    }

    /// How long until the next look.
    pub fn pause(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks for rings that were not handed in. `handed` are the processes whose rings were.
    pub fn look(&mut self, handed: &BTreeSet<u32>) -> Vec<Handed> {
        if Instant::now() < self.due {
            return Vec::new();
        }
        let begin = sys::worked();
        let roots: Vec<u32> = self.known.keys().copied().chain([self.root]).collect();
        for pid in family::descendants(roots).into_iter().chain([self.root]) {
            if self.known.len() >= MOST {
                break;
            }
            self.known.entry(pid).or_insert_with(|| Known {
                exit: sys::pidfd(pid).ok(),
                comm: String::new(),
                lost: None,
                is_found: false,
                rarely_due: Instant::now() + RARELY,
                outside_due: Instant::now() + SETTLED,
            });
        }
        let mut all = Vec::new();
        self.pause = USUAL;
        let (ours, missed, outside) = (&self.ours, &mut self.missed, &mut self.outside);
        let pause = &mut self.pause;
        self.known.retain(|pid, known| {
            if known.has_ended() {
                if known.lost.is_some() && !known.is_found && !handed.contains(pid) {
                    missed.insert(*pid, std::mem::take(&mut known.comm));
                }
                return false;
            }
            known.comm = names::comm(*pid).unwrap_or_default();
            if known.outside_due <= Instant::now() {
                known.outside_due = Instant::now() + RARELY;
                match is_outside(*pid) {
                    true => _ = outside.insert(*pid, known.comm.clone()),
                    false => _ = outside.remove(pid),
                }
            }
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if !is_lost(&environ, ours) {
                known.lost = None;
            } else if known.lost.is_none() {
                // By exec it may be another program than the one whose ring was found.
                (known.lost, known.is_found) = (Some(Instant::now()), false);
            }
            let is_due = match known.lost {
                Some(since) if since.elapsed() < YOUNG && !known.is_found => {
                    *pause = SOON;
                    true
                }
                _ if handed.contains(pid) && known.lost.is_none() => false,
                _ => known.rarely_due <= Instant::now(),
            };
            if is_due {
                known.rarely_due = Instant::now() + RARELY;
                if let Ok(live) = find::open(*pid) {
                    known.is_found = true;
                    all.push(Handed { pid: *pid, live });
                }
            }
            true
        });
        self.due = Instant::now() + self.pause.max((sys::worked() - begin) * SHARE);
        all
    }

    /// What became of them by the end of the program. `handed` are the processes whose rings we have.
    pub fn fate(mut self, handed: &BTreeSet<u32>) -> Fate {
        let mut living = self.living(handed);
        // A daemon is the child of a child that ends at once, which may be while we look.
        for _ in 0..TRIES {
            thread::sleep(SETTLING);
            let before = std::mem::replace(&mut living, self.living(handed));
            if before == living {
                break;
            }
        }
        let outside = std::mem::take(&mut self.outside).into_iter();
        let outside = outside.map(|(pid, comm)| (pid, (comm, !has_ended(sys::pidfd(pid).ok().as_ref()))));
        Fate {
            missed: std::mem::take(&mut self.missed),
            outside: outside.collect(),
            living,
            ..Fate::default()
        }
    }

    /// Those that live and have the library, with their names, and whether they have a ring.
    fn living(&self, handed: &BTreeSet<u32>) -> BTreeMap<u32, (String, bool)> {
        let known = self.known.iter().filter(|(_, known)| !known.has_ended()).map(|(pid, _)| *pid);
        // The parent of a daemon may have ended before we looked: the daemon has its environment.
        let inherited = find::pids().into_iter().filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| has(&environ, &self.ours))
        });
        let all: BTreeSet<u32> = known.chain(inherited).chain(handed.iter().copied()).collect();
        let all =
            all.into_iter().filter(|pid| *pid != self.root && !has_ended(sys::pidfd(*pid).ok().as_ref()));
        all.filter_map(|pid| {
            let has_ring = match find::path(pid) {
                Ok(_) => true,
                Err(Missing::NoRing) => false,
                Err(_) => return None,
            };
            Some((pid, (names::comm(pid).unwrap_or_default(), has_ring)))
        })
        .collect()
    }
}

/// Whether the process of a pidfd has ended; without one it had when we looked.
fn has_ended(exit: Option<&OwnedFd>) -> bool {
    exit.is_none_or(|exit| sys::wait_readable(&[exit.as_fd()], Duration::ZERO) == [true])
}

/// Whether a process has an epoll instance, and does not have the library. A child that was just forked has its parent's
/// memory; a program that has just begun may yet load the library, but has no instance before.
fn is_outside(pid: u32) -> bool {
    find::path(pid) == Err(Missing::NotPreloaded) && eventpoll::has_set(pid)
}

/// Whether a process with this environment loads the library and hands in nothing. A process may overwrite its
/// environment by its title; then nothing is left to say so.
fn is_lost(environ: &[u8], ours: &[u8]) -> bool {
    let mut words = environ.split(|byte| *byte == 0);
    !has(environ, ours)
        && words.any(|word| word.starts_with(b"LD_PRELOAD=") && contains(word, b"libglasspoll.so"))
}

fn has(environ: &[u8], ours: &[u8]) -> bool {
    environ.split(|byte| *byte == 0).any(|word| word == ours)
}

fn contains(word: &[u8], part: &[u8]) -> bool {
    word.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_lost_that_has_the_library_and_not_the_path() {
        let ours = b"GLASSPOLL_COLLECT=/tmp/x/rings";
        let preload = b"A=1\0LD_PRELOAD=/lib/other.so:/lib/libglasspoll.so";
        assert!(is_lost(preload, ours));
        assert!(!is_lost(&[&preload[..], b"\0", ours].concat(), ours));
        assert!(is_lost(&[&preload[..], b"\0", ours, b".old"].concat(), ours));
        assert!(!is_lost(b"A=1\0LD_PRELOAD=/lib/other.so", ours));
        assert!(!is_lost(b"", ours));
    }
}
