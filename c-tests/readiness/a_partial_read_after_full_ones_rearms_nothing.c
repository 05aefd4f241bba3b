// A read that leaves data is no edge, even if earlier reads have read everything.
// Source: epoll(7), edge-triggered. Contract: 19
// Limit: hot: an edge-triggered socket that was read to the end twice and then in part is reported once more
#include "harness.h"

static void test(void)
{
    for (int full = 0; full < 6; full++) {
        int epfd = ep_new(), fd[2];
        char byte;
        tcp_pair(fd);
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        for (int n = 0; n < full; n++) {
            put(fd[1], "xy");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(drain(fd[0]), 2);
            EXPECT_NOTHING_NOW(epfd);
        }
        put(fd[1], "xy");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        CHECK_EQ(read(fd[0], &byte, 1), 1);
        EXPECT_NOTHING(epfd);
        close_pair(fd);
        OK(close(epfd));
    }
}
