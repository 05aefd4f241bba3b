// A file without a poll method is EPERM, also if it is neither a regular file
// nor a device.
// Source: fs/eventpoll.c, file_can_poll; fs/fsopen.c, fscontext_fops.
// Contract: 3
#include "harness.h"
#include <linux/landlock.h>

static void refused(int fd)
{
    int epfd = ep_new();
    CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EPERM);
    CHECK_ERR(ep_mod(epfd, fd, EPOLLIN), EPERM);
    CHECK_ERR(ep_del(epfd, fd), EPERM);
    OK(close(epfd));
    OK(close(fd));
}

static void test(void)
{
    int context = syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
    struct landlock_ruleset_attr attr = {.handled_access_fs = 1};
    int rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (context < 0 && rules < 0)
        SKIP("neither fsopen nor landlock_create_ruleset is allowed here");
    if (context >= 0)
        refused(context);
    if (rules >= 0)
        refused(rules);
}
