// A device whose driver has no poll method is EPERM; a device whose driver has
// one can be added. The test skips devices that this machine does not have or
// does not let it open; /dev/null is everywhere.
// Source: the drivers' file_operations. Contract: 3
#include "harness.h"

static const char *const refused[] = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/kvm",
    "/dev/hwrng", "/dev/loop-control", "/dev/autofs", "/dev/btrfs-control",
    "/dev/cpu_dma_latency", "/dev/userfaultfd", "/dev/vsock", "/dev/cpu/0/cpuid",
    "/dev/cpu/0/msr", "/dev/udmabuf", "/dev/vfio/vfio", "/dev/ublk-control",
    "/dev/mem", "/dev/port", "/dev/nvram", "/dev/i2c-0", "/dev/fb0",
    "/dev/nvme0", "/dev/dma_heap/system", "/dev/ntsync",
};
static const char *const added[] = {
    "/dev/random", "/dev/kmsg", "/dev/fuse", "/dev/net/tun", "/dev/ptmx",
    "/dev/uinput", "/dev/uhid", "/dev/rfkill", "/dev/vga_arbiter",
    "/dev/vhost-net", "/dev/ppp", "/dev/mapper/control",
};

static int tried;

static void each(int epfd, const char *path, bool can)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0)
        return;
    OK(fstat(fd, &stat));
    if (S_ISCHR(stat.st_mode)) {
        tried++;
        if (can) {
            OK(ep_add(epfd, fd, EPOLLIN));
            OK(ep_del(epfd, fd));
        } else {
            CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EPERM);
        }
    }
    OK(close(fd));
}

static void test(void)
{
    int epfd = ep_new();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        each(epfd, refused[i], false);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        each(epfd, added[i], true);
    CHECK(tried > 3);
    OK(close(epfd));
}
