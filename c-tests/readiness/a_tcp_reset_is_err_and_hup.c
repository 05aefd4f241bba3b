// A connection that the peer has reset reports ERR|HUP beside what was asked for.
// Source: Linux: net/ipv4/tcp.c:tcp_poll. Contract: 15, 23
#include "harness.h"

static void test(void)
{
    struct linger hard = {1, 0};
    uint32_t asked[] = {0, EPOLLIN, EPOLLIN | EPOLLRDHUP | EPOLLET};
    for (int i = 0; i < 3; i++) {
        int epfd = ep_new(), t[2];
        tcp_pair(t);
        OK(ep_add(epfd, t[0], asked[i]));
        EXPECT_NOTHING_NOW(epfd);
        OK(setsockopt(t[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
        OK(close(t[1]));
        EXPECT_ONE(epfd, t[0], (asked[i] & ~EPOLLET) | EPOLLERR | EPOLLHUP);
        char c;
        CHECK_ERR(read(t[0], &c, 1), ECONNRESET);
        OK(close(t[0]));
        OK(close(epfd));
    }
}
