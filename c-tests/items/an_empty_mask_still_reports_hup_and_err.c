// An item with events = 0 still reports ERR and HUP, but never data.
// Source: epoll_ctl(2). Contract: 15
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        const uint32_t mask = edge ? EPOLLET : 0;
        int epfd = ep_new(), s[2], p[2];
        unix_stream(s);
        pipe_pair(p);
        OK(ep_add(epfd, s[0], mask));
        OK(ep_add(epfd, p[1], mask));
        put(s[1], "x");
        EXPECT_NOTHING(epfd);
        OK(close(s[1]));
        EXPECT_ONE(epfd, s[0], EPOLLHUP);
        OK(close(s[0]));
        OK(close(p[0]));
        EXPECT_ONE(epfd, p[1], EPOLLERR);
        OK(close(p[1]));
        OK(close(epfd));
    }
}
