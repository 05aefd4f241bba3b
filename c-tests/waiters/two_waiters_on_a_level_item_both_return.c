// One write, level-triggered: the waiter that wakes first wakes the next,
// because the item is still ready.
// Source: Linux: fs/eventpoll.c:ep_done_scan. Contract: 25
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    struct waiter w[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    for (int round = 0; round < 5; round++) {
        waiter_block(&w[0], epfd);
        waiter_block(&w[1], epfd);
        put(s[1], "x");
        waiter_join_with(&w[0], s[0], EPOLLIN);
        waiter_join_with(&w[1], s[0], EPOLLIN);
        CHECK_EQ(drain(s[0]), 1);
    }
    close_pair(s);
    OK(close(epfd));
}
