// shutdown on the watched socket itself is a wakeup. With its receiving side
// shut, it reports IN|RDHUP; with both sides shut, HUP too.
// Source: Linux: net/unix/af_unix.c:unix_shutdown, net/ipv4/tcp.c:tcp_poll.
// Contract: 15
#include "harness.h"

static void test(void)
{
    const uint32_t asked = EPOLLIN | EPOLLRDHUP;
    for (int tcp = 0; tcp < 2; tcp++) {
        int epfd = ep_new(), s[2];
        struct waiter w;
        if (tcp)
            tcp_pair(s);
        else
            unix_stream(s);
        OK(ep_add(epfd, s[0], asked | EPOLLET));
        waiter_block(&w, epfd);
        OK(shutdown(s[0], SHUT_RD));
        waiter_join_with(&w, s[0], asked);
        OK(shutdown(s[0], SHUT_WR));
        EXPECT_ONE(epfd, s[0], asked | EPOLLHUP);
        close_pair(s);
        OK(close(epfd));
    }
}
