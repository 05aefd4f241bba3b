// A ONESHOT item reports once. Then it reports nothing, not even new data,
// until MOD re-arms it; MOD reports what is ready then. Level and edge.
// Source: epoll_ctl(2). Contract: 14, 15
#include "harness.h"

static void test(void)
{
    uint32_t masks[] = {EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLONESHOT | EPOLLET};
    for (int i = 0; i < 2; i++) {
        int epfd = ep_new(), s[2];
        unix_stream(s);
        OK(ep_add(epfd, s[0], masks[i]));
        for (int round = 0; round < 3; round++) {
            put(s[1], "x");
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            put(s[1], "x");
            EXPECT_NOTHING(epfd);
            CHECK_ERR(ep_add(epfd, s[0], masks[i]), EEXIST); // still an item
            OK(ep_mod(epfd, s[0], masks[i]));
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            CHECK_EQ(drain(s[0]), 2);
            OK(ep_mod(epfd, s[0], masks[i]));
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(s);
        OK(close(epfd));
    }
}
