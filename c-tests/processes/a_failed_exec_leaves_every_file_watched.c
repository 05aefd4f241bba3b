// A watched file lives on under a dup, and another file has its fd. After an
// exec that fails, each item still watches its own file.
// Source: execve(2), epoll(7), Q6. Contract: 12, 38
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), first[2], second[2], moved;
    OK(pipe2(first, O_NONBLOCK));
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, first[0], EPOLLIN | EPOLLET, 1));
    moved = OK(dup(first[0]));
    OK(close(first[0]));
    OK(pipe2(second, O_NONBLOCK));
    CHECK_EQ(second[0], first[0]);
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, second[0], EPOLLIN | EPOLLET, 2));
    for (int round = 0; round < 3; round++) {
        CHECK_ERR(execl("/none", "none", NULL), ENOENT);
        EXPECT_NOTHING_NOW(epfd);
        put(first[1], "x");
        EXPECT_ONE(epfd, 1, EPOLLIN);
        put(second[1], "x");
        EXPECT_ONE(epfd, 2, EPOLLIN);
        drain(moved);
        drain(second[0]);
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(close(moved));
    OK(close(first[1]));
    OK(close(second[0]));
    OK(close(second[1]));
    OK(close(epfd));
}
