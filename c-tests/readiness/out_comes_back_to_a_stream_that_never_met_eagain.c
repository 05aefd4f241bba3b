// A unix stream is filled until poll reports it as not writable, and no write
// was refused. Once drained, it is reported as writable again: to a blocked
// waiter, level and edge.
// Source: Linux: net/unix/af_unix.c:unix_write_space. Contract: 18, 19
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), s[2];
        struct pollfd p;
        struct waiter w;
        unix_stream(s);
        p = (struct pollfd){s[0], POLLOUT, 0};
        OK(ep_add(epfd, s[0], EPOLLOUT | (edge ? EPOLLET : 0)));
        EXPECT_ONE(epfd, s[0], EPOLLOUT);
        while (poll(&p, 1, 0) == 1)
            put(s[0], "0123456789");
        EXPECT_NOTHING_NOW(epfd);
        waiter_block(&w, epfd);
        CHECK(drain(s[1]) > 0);
        waiter_join_with(&w, s[0], EPOLLOUT);
        close_pair(s);
        OK(close(epfd));
    }
}
