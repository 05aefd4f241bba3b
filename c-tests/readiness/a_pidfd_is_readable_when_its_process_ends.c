// A pidfd reports IN from the end of its process until the process is reaped,
// and IN|HUP after that.
// Source: pidfd_open(2). Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), go[2];
    OK(pipe(go));
    pid_t pid = fork_child();
    if (pid == 0) {
        char c;
        CHECK_EQ(read(go[0], &c, 1), 1);
        _exit(0);
    }
    int p = syscall(SYS_pidfd_open, pid, 0);
    if (p == -1)
        SKIP("no pidfd_open: %s", strerrorname_np(errno));
    OK(ep_add(epfd, p, EPOLLIN));
    EXPECT_NOTHING(epfd);
    put(go[1], "x");
    EXPECT_ONE(epfd, p, EPOLLIN);
    EXPECT_ONE(epfd, p, EPOLLIN);
    child_must_pass(pid);
    EXPECT_ONE(epfd, p, EPOLLIN | EPOLLHUP);
    OK(close(p));
    close_pair(go);
    OK(close(epfd));
}
