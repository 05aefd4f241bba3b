// An edge-triggered item reports an event once, though the data stays unread.
// Source: epoll(7). Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), u[2], t[2], p[2];
    unix_stream(u);
    tcp_pair(t);
    pipe_pair(p);
    int in[] = {u[0], t[0], p[0]}, out[] = {u[1], t[1], p[1]};
    for (int i = 0; i < 3; i++) {
        OK(ep_add(epfd, in[i], EPOLLIN | EPOLLET));
        put(out[i], "x");
        EXPECT_ONE(epfd, in[i], EPOLLIN);
        EXPECT_NOTHING(epfd);
        CHECK_EQ(drain(in[i]), 1);
        EXPECT_NOTHING_NOW(epfd);
    }
    close_pair(u);
    close_pair(t);
    close_pair(p);
    OK(close(epfd));
}
