// A write to a connection that was reset takes the error. The error is then
// gone. This is no edge, whatever else is still ready.
// Source: Linux: net/ipv4/tcp.c:tcp_poll, net/core/stream.c:sk_stream_error.
// Contract: 19, 23
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), t[2];
    OK(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
    tcp_pair(t);
    OK(close(t[1]));
    put(t[0], "to nobody");
    until_polls(t[0], POLLERR);
    OK(ep_add(epfd, t[0], EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, t[0], EPOLLIN | EPOLLERR | EPOLLHUP);
    CHECK_ERR(write(t[0], "x", 1), EPIPE);
    EXPECT_NOTHING_NOW(epfd);
    EXPECT_NOTHING(epfd);
    OK(close(t[0]));
    OK(close(epfd));
}
