// A set without items is no error: the wait lasts as long as its timeout and
// returns 0.
// Source: epoll_wait(2). Contract: 6
#include "harness.h"

static void test(void)
{
    struct epoll_event ev[1];
    int epfd = ep_new(), s[2];
    for (int i = 0; i < 2; i++) {
        int64_t start = now_ns();
        CHECK_EQ(epoll_wait(epfd, ev, 1, 30), 0);
        CHECK(now_ns() - start >= 30000000);
        // The same after the only item was deleted and its file then got data.
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN));
        OK(ep_del(epfd, s[0]));
        put(s[1], "x");
        start = now_ns();
        CHECK_EQ(epoll_wait(epfd, ev, 1, 30), 0);
        CHECK(now_ns() - start >= 30000000);
        close_pair(s);
    }
    OK(close(epfd));
}
