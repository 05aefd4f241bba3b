// The read end reports IN|HUP while data is left, and HUP after that. While a
// second write end is open, it reports no HUP.
// Source: pipe(7); Linux: fs/pipe.c:pipe_poll. Contract: 24
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), p[2];
        pipe_pair(p);
        int writer = OK(dup(p[1]));
        OK(ep_add(epfd, p[0], EPOLLIN | (edge ? EPOLLET : 0)));
        put(p[1], "x");
        EXPECT_ONE(epfd, p[0], EPOLLIN);
        OK(close(p[1]));
        if (edge)
            EXPECT_NOTHING(epfd);
        OK(close(writer));
        EXPECT_ONE(epfd, p[0], EPOLLIN | EPOLLHUP);
        if (edge)
            EXPECT_NOTHING(epfd);
        CHECK_EQ(drain(p[0]), 1);
        if (!edge)
            EXPECT_ONE(epfd, p[0], EPOLLHUP);
        OK(close(p[0]));
        OK(close(epfd));
    }
}
