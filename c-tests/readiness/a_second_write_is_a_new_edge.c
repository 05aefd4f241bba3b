// Each write is a new edge, even while earlier data is still unread.
// Source: epoll(7); pipe(7). Contract: 19
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
        for (int round = 0; round < 20; round++) {
            put(out[i], "x");
            EXPECT_ONE(epfd, in[i], EPOLLIN);
            EXPECT_NOTHING_NOW(epfd);
        }
        EXPECT_NOTHING(epfd);
        CHECK_EQ(drain(in[i]), 20);
    }
    close_pair(u);
    close_pair(t);
    close_pair(p);
    OK(close(epfd));
}
