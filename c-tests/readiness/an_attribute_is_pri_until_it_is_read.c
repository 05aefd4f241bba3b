// An attribute of sysfs is PRI and ERR until it is read, however often it is
// polled before that. A read ends this, even if a poll of the set has seen it
// before.
// Source: fs/kernfs/file.c, kernfs_generic_poll, kernfs_seq_show.
#include "harness.h"

static void test(void)
{
    char text[256];
    int fd = open("/sys/kernel/uevent_seqnum", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        SKIP("no sysfs: %s", strerrorname_np(errno));
    int epfd = ep_new();
    OK(ep_add(epfd, fd, EPOLLPRI));
    for (int i = 0; i < 3; i++)
        EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    struct pollfd look = {epfd, POLLIN, 0};
    CHECK_EQ(poll(&look, 1, 0), 1);
    OK(read(fd, text, sizeof text));
    EXPECT_NOTHING(epfd);
    CHECK_EQ(poll(&look, 1, 0), 0);
    OK(close(fd));
    OK(close(epfd));
}
