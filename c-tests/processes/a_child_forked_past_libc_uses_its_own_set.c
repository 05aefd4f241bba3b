// A raw clone, which libc's fork handlers do not see, makes a child. The child
// uses a set of its own and closes its copies; the parent's set works on.
// Source: clone(2). Contract: 36
#include "harness.h"
#include <sched.h>

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
        int own = epoll_create1(0), p[2];
        struct epoll_event ev = {.events = EPOLLIN};
        if (pipe(p) || epoll_ctl(own, EPOLL_CTL_ADD, p[0], &ev) || write(p[1], "x", 1) != 1)
            _exit(1);
        if (epoll_wait(own, &ev, 1, WAIT_MS) != 1)
            _exit(2);
        if (close(s[0]) || close(s[1]) || close(epfd))
            _exit(3);
        _exit(0);
    }
    child_must_pass(pid);
    for (int i = 0; i < 3; i++) {
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        drain(s[0]);
        EXPECT_NOTHING_NOW(epfd);
    }
    close_pair(s);
    OK(close(epfd));
}
