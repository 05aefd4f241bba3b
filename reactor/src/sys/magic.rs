//! The magic numbers by which `statfs(2)` identifies filesystems. Linux: `<linux/magic.h>`.

/// procfs, with the sysctls.
pub const PROC: i64 = 0x9fa0;
/// sysfs.
pub const SYSFS: i64 = 0x6265_6572;
/// Control groups, version 1.
pub const CGROUP: i64 = 0x0027_e0eb;
/// Control groups, version 2.
pub const CGROUP2: i64 = 0x6367_7270;
/// resctrl, which shares out caches.
pub const RESCTRL: i64 = 0x0765_5821;
/// FUSE, virtiofs included.
pub const FUSE: i64 = 0x6573_5546;
/// POSIX message queues.
pub const MQUEUE: i64 = 0x1980_0202;
