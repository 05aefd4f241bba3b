// When the peer shuts down its sending side only, RDHUP and IN are reported,
// but not HUP. With both directions shut down, HUP is reported. Unix stream and
// TCP, edge-triggered.
// Source: epoll_ctl(2), EPOLLRDHUP. Contract: 15
#include "harness.h"

static void test(void)
{
    const uint32_t asked = EPOLLIN | EPOLLRDHUP;
    for (int tcp = 0; tcp < 2; tcp++) {
        int epfd = ep_new(), s[2];
        if (tcp)
            tcp_pair(s);
        else
            unix_stream(s);
        OK(ep_add(epfd, s[0], asked | EPOLLET));
        EXPECT_NOTHING_NOW(epfd);
        OK(shutdown(s[1], SHUT_WR));
        EXPECT_ONE(epfd, s[0], asked);
        EXPECT_NOTHING(epfd);
        put(s[0], "still"); // the other direction is open
        drain_exactly(s[1], 5);
        OK(ep_mod(epfd, s[0], EPOLLIN)); // RDHUP only if asked
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        OK(ep_mod(epfd, s[0], asked | EPOLLET));
        EXPECT_ONE(epfd, s[0], asked);
        OK(shutdown(s[0], SHUT_WR));
        EXPECT_ONE(epfd, s[0], asked | EPOLLHUP);
        close_pair(s);
        OK(close(epfd));
    }
}
