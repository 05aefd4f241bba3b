// Before exec, a vfork child closes watched fds, calls dup2 over them and
// closes the set. All of this concerns the child alone.
// Source: vfork(2). Contract: 12, 36
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], b[2], e = event_fd();
    unix_stream(s);
    unix_stream(b);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, b[0], EPOLLIN));
    OK(ep_add(epfd, e, EPOLLIN));
    for (int round = 0; round < 3; round++) {
        pid_t pid = vfork();
        if (pid == 0) {
            close(s[0]);
            dup2(s[1], b[0]);
            close(e);
            close(epfd);
            execlp("true", "true", (char *)NULL);
            _exit(1);
        }
        OK(pid);
        child_must_pass(pid);
        EXPECT_NOTHING(epfd);
        CHECK_ERR(ep_add(epfd, s[0], EPOLLIN), EEXIST);
        CHECK_ERR(ep_add(epfd, b[0], EPOLLIN), EEXIST);
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        put(b[1], "x");
        EXPECT_ONE(epfd, b[0], EPOLLIN);
        drain(b[0]);
        bump(e, 1);
        EXPECT_ONE(epfd, e, EPOLLIN);
        drain(e);
        EXPECT_NOTHING_NOW(epfd);
    }
    close_pair(s);
    close_pair(b);
    OK(close(e));
    OK(close(epfd));
}
