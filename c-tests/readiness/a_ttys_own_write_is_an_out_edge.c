// After each write to a terminal, the terminal reports room to the end that
// wrote. An edge-triggered item reports it.
// Source: Linux: drivers/tty/tty_io.c:file_tty_write (tty_wakeup). Contract: 23
#include "harness.h"

static void follow(int p[2])
{
    int epfd = ep_new();
    for (int end = 0; end < 2; end++) {
        OK(ep_add(epfd, p[end], EPOLLOUT | EPOLLET));
        EXPECT_ONE(epfd, p[end], EPOLLOUT);
        EXPECT_NOTHING(epfd);
        for (int i = 0; i < 3; i++) {
            put(p[end], "x");
            EXPECT_ONE(epfd, p[end], EPOLLOUT);
            EXPECT_NOTHING(epfd);
        }
        OK(ep_del(epfd, p[end]));
    }
    OK(close(epfd));
}

static void test(void)
{
    int p[2];
    pty_pair(p);
    follow(p);
    pid_t pid = fork_child();
    if (pid == 0) { // the same for a terminal that another process has open too
        follow(p);
        _exit(0);
    }
    child_must_pass(pid);
    close_pair(p);
}
