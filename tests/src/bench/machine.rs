//! The machine that measured.

use super::system::cpus;
use std::ffi::CStr;
use std::fs;
use std::process::Command;

/// One sentence: CPU, kernel, glibc, date.
pub fn describe() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    let machine = if cpuinfo.contains(" hypervisor") { "VM" } else { "machine" };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // SAFETY: the call returns a string that lasts.
    let glibc = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy();
    let date = Command::new("date").arg("+%Y-%m-%d").output();
    let date = date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!(
        "{model}, a {machine} with {} CPUs; Linux {}, glibc {glibc}; {}",
        cpus(),
        kernel.trim(),
        date.unwrap_or_default()
    )
}
