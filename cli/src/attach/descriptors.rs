//! A process that has no descriptor left: its limit is raised while the library is loaded, which needs one or two.

use rustix::process::{prlimit, Pid, Resource, Rlimit};

use super::refusal::Refusal;
use crate::procfs::names;

/// How many more it may have meanwhile.
const MORE: u64 = 16;

/// The limit is raised until this is dropped.
#[derive(Debug)]
pub struct Raised {
    pid: Pid,
    before: Rlimit,
}

impl Raised {
    /// Raises it. As an ordinary user, not beyond the hard limit.
    pub fn of(pid: u32) -> Result<Self, Refusal> {
        let before = limits(&names::read(format!("/proc/{pid}/limits")).unwrap_or_default())
            .ok_or(Refusal::NoDescriptor)?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Refusal::NoProcess)?;
        let current = before.current.map(|current| current.saturating_add(MORE));
        let maximum = before.maximum.map(|maximum| maximum.max(current.unwrap_or(maximum)));
        prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum })
            .map_err(|_| Refusal::NoDescriptor)?;
        Ok(Self { pid, before })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        let _ = prlimit(Some(self.pid), Resource::Nofile, self.before);
    }
}

/// Parses `Max open files            1024                 524288               files`.
fn limits(text: &str) -> Option<Rlimit> {
    let mut words = text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace();
    // "unlimited" is no number, and becomes None: there is no limit.
    let mut number = || words.next().map(|word| word.parse().ok());
    Some(Rlimit { current: number()?, maximum: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let text = "Limit Soft Hard Units\nMax open files            1024                 524288               files     \n";
        assert_eq!(limits(text), Some(Rlimit { current: Some(1024), maximum: Some(524_288) }));
        let own = std::fs::read_to_string("/proc/self/limits").unwrap();
        assert_eq!(limits(&own), Some(rustix::process::getrlimit(Resource::Nofile)));
        assert_eq!(limits(""), None);
    }
}
