// A pipe was full and has been drained: this is a new OUT edge, though no wait
// ever saw the pipe full.
// Source: epoll(7), Q9; Linux: fs/pipe.c:pipe_read. Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), p[2];
    pipe_pair(p);
    OK(ep_add(epfd, p[1], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, p[1], EPOLLOUT);
    EXPECT_NOTHING(epfd);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(fill(p[1]), drain(p[0]));
        EXPECT_ONE(epfd, p[1], EPOLLOUT);
        EXPECT_NOTHING(epfd);
    }
    close_pair(p);
    OK(close(epfd));
}
