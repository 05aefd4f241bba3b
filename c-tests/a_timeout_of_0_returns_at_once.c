// Timeout 0, in ms or as a timespec, never sleeps: 10,000 waits on a set with
// nothing ready are over in a moment, and one with something ready reports it.
// Source: epoll_wait(2). Contract: 6
#include "harness.h"

static void test(void)
{
    struct timespec zero = {0, 0};
    struct epoll_event ev[1];
    int epfd = ep_new(), empty = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    int64_t start = now_ns();
    for (int i = 0; i < 10000; i++) {
        CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
        CHECK_EQ(epoll_wait(empty, ev, 1, 0), 0);
        CHECK_EQ(epoll_pwait2(epfd, ev, 1, &zero, NULL), 0);
    }
    CHECK(now_ns() - start < 10000000000); // 1 ms each would be 30 s
    put(s[1], "x");
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 1);
    CHECK_EQ(epoll_pwait2(epfd, ev, 1, &zero, NULL), 1);
    close_pair(s);
    OK(close(epfd));
    OK(close(empty));
}
