// However many writes come before a wait, it reports the item once.
// Source: epoll(7), Q7. Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 10; i++)
            put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    CHECK_EQ(drain(s[0]), 100);
    close_pair(s);
    OK(close(epfd));
}
