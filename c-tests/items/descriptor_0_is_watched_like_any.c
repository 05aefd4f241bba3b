// A file under fd 0: level-triggered, edge-triggered, and beside others.
// Source: epoll_ctl(2). Contract: 11
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), before = OK(dup(0)), s[2], other[2];
    unix_stream(s);
    unix_stream(other);
    OK(dup2(s[0], 0));
    OK(close(s[0]));
    for (int edge = 0; edge < 2; edge++) {
        OK(ep_add(epfd, 0, EPOLLIN | (edge ? EPOLLET : 0)));
        OK(ep_add(epfd, other[0], EPOLLIN | (edge ? EPOLLET : 0)));
        for (int turn = 0; turn < 50; turn++) {
            put(s[1], "x");
            EXPECT_ONE(epfd, 0, EPOLLIN);
            CHECK_EQ(drain(0), 1);
            EXPECT_NOTHING_NOW(epfd);
            put(other[1], "x");
            EXPECT_ONE(epfd, other[0], EPOLLIN);
            CHECK_EQ(drain(other[0]), 1);
        }
        OK(ep_del(epfd, 0));
        OK(ep_del(epfd, other[0]));
    }
    OK(dup2(before, 0));
    OK(close(before));
    OK(close(s[1]));
    close_pair(other);
    OK(close(epfd));
}
