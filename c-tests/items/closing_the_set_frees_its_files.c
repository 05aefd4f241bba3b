// Closing a set drops its items. The files live on and can be added to another
// set. Many sets that watch one file, one after another, leave nothing behind.
// Source: Linux: fs/eventpoll.c:ep_clear_and_put. Contract: 12
#include "harness.h"

static void test(void)
{
    int s[2];
    unix_stream(s);
    put(s[1], "x");
    for (int i = 0; i < 2000; i++) {
        int epfd = ep_new();
        OK(ep_add(epfd, s[0], EPOLLIN | (i % 2 ? EPOLLET : 0)));
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        OK(close(epfd));
    }
    CHECK_EQ(drain(s[0]), 1);
    close_pair(s);
}
