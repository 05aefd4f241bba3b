// Each end of a pty reports what the other wrote. The master reports HUP once
// the slave is closed.
// Source: pty(7). Contract: 18, 23
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), p[2];
        const uint32_t mask = EPOLLIN | (edge ? EPOLLET : 0);
        pty_pair(p);
        OK(ep_add(epfd, p[0], mask));
        OK(ep_add(epfd, p[1], mask));
        EXPECT_NOTHING_NOW(epfd);
        for (int i = 0; i < 2; i++) {
            put(p[!i], "hello");
            EXPECT_ONE(epfd, p[i], EPOLLIN);
            if (edge)
                EXPECT_NOTHING(epfd);
            else
                EXPECT_ONE(epfd, p[i], EPOLLIN);
            CHECK_EQ(drain(p[i]), 5);
            EXPECT_NOTHING_NOW(epfd);
        }
        OK(close(p[1]));
        EXPECT_ONE(epfd, p[0], EPOLLHUP);
        OK(close(p[0]));
        OK(close(epfd));
    }
}
