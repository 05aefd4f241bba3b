// A TCP socket has shut down its own reading side, and still receives: each
// arrival is an edge.
// Source: Linux: net/ipv4/tcp_input.c:tcp_data_ready. Contract: 19
#include "harness.h"

static void test(void)
{
    for (int drained = 0; drained < 4; drained++) {
        int epfd = ep_new(), fd[2];
        uint32_t end = EPOLLIN | EPOLLRDHUP;
        tcp_pair(fd);
        OK(ep_add(epfd, fd[0], end | EPOLLET));
        for (int n = 0; n < drained; n++) {
            put(fd[1], "x");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(drain(fd[0]), 1);
        }
        OK(shutdown(fd[0], SHUT_RD));
        EXPECT_ONE(epfd, fd[0], end);
        EXPECT_NOTHING_NOW(epfd);
        for (int n = 0; n < 3; n++) {
            put(fd[1], "x");
            EXPECT_ONE(epfd, fd[0], end);
        }
        EXPECT_NOTHING_NOW(epfd);
        close_pair(fd);
        OK(close(epfd));
    }
}
