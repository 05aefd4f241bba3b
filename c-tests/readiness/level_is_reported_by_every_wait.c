// Every wait reports a level-triggered item as long as it is ready, however
// often, and no longer.
// Source: epoll(7). Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    put(s[1], "abc");
    char c;
    for (int left = 3; left > 0; left--) {
        for (int i = 0; i < 100; i++)
            EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(read(s[0], &c, 1), 1);
    }
    EXPECT_NOTHING(epfd);
    put(s[1], "d");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    close_pair(s);
    OK(close(epfd));
}
