// A child waits on its inherited set. A file that was added before the fork and
// is ready is reported, level-triggered, also to a blocked wait.
// Source: epoll(7), Q2; fork(2). Contract: 36
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], p[2];
    unix_stream(s);
    pipe_pair(p);
    OK(ep_add(epfd, s[0], EPOLLIN));
    OK(ep_add(epfd, p[0], EPOLLIN));
    put(p[1], "x");
    pid_t pid = fork_child();
    if (pid == 0) {
        struct waiter w;
        EXPECT_ONE(epfd, p[0], EPOLLIN);
        CHECK_EQ(drain(p[0]), 1);
        EXPECT_NOTHING_NOW(epfd);
        waiter_block(&w, epfd);
        put(s[1], "x");
        waiter_join_with(&w, s[0], EPOLLIN);
        struct pollfd poll_fd = {epfd, POLLIN, 0};
        CHECK_EQ(poll(&poll_fd, 1, 0), 1);
        CHECK_EQ(drain(s[0]), 1);
        _exit(0);
    }
    child_must_pass(pid);
    EXPECT_NOTHING(epfd);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    close_pair(s);
    close_pair(p);
    OK(close(epfd));
}
