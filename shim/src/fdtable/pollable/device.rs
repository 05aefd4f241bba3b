//! Which character devices have a poll method.
//!
//! A file without a poll method always gives the same answer. A device that gives another one has a poll method.
//! For the rest, the tables below list the drivers without one. A device in no table counts as having one.
//!
//! Linux: `file_operations` of the drivers, 5.10 to 6.1 and newer ones by name.

use glasspoll_reactor::sys;

use super::looks_unpollable;

/// Memory devices. Linux: `<linux/major.h>`, as the others.
const MEM: u32 = 1;
/// Of the memory devices, random and kmsg can be polled. Linux: `drivers/char/mem.c:devlist`.
const MEM_POLLABLE: [u32; 2] = [8, 11];
const MISC: u32 = 10;

/// Classes of devices, all without a poll method.
const CLASSES: [&[u8]; 32] = [
    b"bsg",
    b"cpuid",
    b"cxl",
    b"dax",
    b"dma_heap",
    b"drm_dp_aux_dev",
    b"graphics",
    b"i2c-dev",
    b"infiniband_verbs",
    b"kfd",
    b"mmc_rpmb",
    b"msr",
    b"mtd",
    b"nd",
    b"nvme",
    b"nvme-generic",
    b"pmsg",
    b"printer",
    b"raw",
    b"remoteproc",
    b"rpmb",
    b"scsi_changer",
    b"scsi_tape",
    b"spidev",
    b"tee",
    b"ubi",
    b"ublk-char",
    b"vfio",
    b"vfio-dev",
    b"vhost-vdpa",
    b"watchdog",
    b"zcrypt",
];

/// Devices of class misc without a poll method, by their names in sysfs.
const MISC_NAMES: [&[u8]; 48] = [
    b"acrn_hsm",
    b"aer_inject",
    b"agpgart",
    b"ashmem",
    b"autofs",
    b"btrfs-control",
    b"cpu_dma_latency",
    b"dlm-control",
    b"dlm-monitor",
    b"efi_capsule_loader",
    b"efi_test",
    b"erst_dbg",
    b"freefall",
    b"hsmp",
    b"hw_random",
    b"iommu",
    b"isst_interface",
    b"kvm",
    b"loop-control",
    b"lpfcmgmt",
    b"megadev0",
    b"mptctl",
    b"nitro_enclaves",
    b"nsm",
    b"ntsync",
    b"nvme-fabrics",
    b"nvram",
    b"ocfs2_control",
    b"pktcdvd",
    b"raw-gadget",
    b"sev",
    b"sev-guest",
    b"sgx_enclave",
    b"sgx_provision",
    b"sgx_vepc",
    b"snapshot",
    b"tdx_guest",
    b"temperature",
    b"ubi_ctrl",
    b"ublk-control",
    b"udmabuf",
    b"userfaultfd",
    b"vboxguest",
    b"vfio",
    b"vhost-scsi",
    b"vsock",
    b"vtpmx",
    b"watchdog",
];

/// If sysfs is not mounted: major numbers of such devices that are the same everywhere (lp, st, fb, ch, i2c, mtd, spi,
/// msr, cpuid). Linux: `Documentation/admin-guide/devices.txt`.
const MAJORS: [u32; 9] = [6, 9, 29, 86, 89, 90, 153, 202, 203];

/// And minor numbers of class misc (temperature, nvram, agpgart, hw_random, vfio, snapshot, kvm, btrfs-control, autofs,
/// loop-control). Linux: `<linux/miscdevice.h>`.
const MISC_MINORS: [u32; 10] = [131, 144, 175, 183, 196, 231, 232, 234, 235, 237];

pub fn can_poll(fd: i32, device: u64) -> bool {
    let (major, minor) = (libc::major(device), libc::minor(device));
    match major {
        MEM => MEM_POLLABLE.contains(&minor),
        // Terminals.
        4 | 5 | 136..=143 => true,
        _ => !looks_unpollable(fd) || !is_known_without(major, minor),
    }
}

fn is_known_without(major: u32, minor: u32) -> bool {
    let mut room = [[0; 512]; 2];
    let [class, name] = &mut room;
    let class = last_part(&format!("/sys/dev/char/{major}:{minor}/subsystem\0"), class);
    let name = last_part(&format!("/sys/dev/char/{major}:{minor}\0"), name);
    match (class, name) {
        (Some(b"misc"), Some(name)) => MISC_NAMES.contains(&name),
        (Some(class), _) => CLASSES.contains(&class),
        (None, _) if major == MISC => MISC_MINORS.contains(&minor),
        (None, _) => MAJORS.contains(&major),
    }
}

/// The last component of a symbolic link's target.
fn last_part<'a>(link: &str, room: &'a mut [u8]) -> Option<&'a [u8]> {
    let read = sys::readlink(link.as_bytes(), room).ok()?;
    room[..read].rsplit(|byte| *byte == b'/').next()
}
