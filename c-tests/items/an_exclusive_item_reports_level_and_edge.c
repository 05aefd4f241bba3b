// An exclusive item differs only in which waiters wake. In all else it behaves
// like any other.
// Source: epoll_ctl(2), EPOLLEXCLUSIVE. Contract: 16
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), s[2];
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN | EPOLLEXCLUSIVE | (edge ? EPOLLET : 0)));
        for (int i = 0; i < 3; i++) {
            put(s[1], "x");
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            if (edge)
                EXPECT_NOTHING(epfd);
            else
                EXPECT_ONE(epfd, s[0], EPOLLIN);
        }
        CHECK_EQ(drain(s[0]), 3);
        EXPECT_NOTHING_NOW(epfd);
        OK(close(s[1]));
        EXPECT_ONE(epfd, s[0], EPOLLIN | EPOLLHUP);
        OK(ep_del(epfd, s[0]));
        EXPECT_NOTHING_NOW(epfd);
        OK(ep_add(epfd, s[0], EPOLLIN)); // as an ordinary item
        OK(ep_mod(epfd, s[0], 0));
        EXPECT_ONE(epfd, s[0], EPOLLHUP);
        OK(close(s[0]));
        OK(close(epfd));
    }
}
