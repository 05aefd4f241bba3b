// TCP urgent data is PRI, and an edge, for an item that asks for PRI. A read
// ends it.
// Source: Linux: net/ipv4/tcp.c:tcp_poll. Contract: 23
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), t[2];
    char c;
    tcp_pair(t);
    OK(ep_add(epfd, t[0], EPOLLPRI));
    put(t[1], "x");
    until_polls(t[0], POLLIN);
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(drain(t[0]), 1);
    CHECK_EQ(send(t[1], "!", 1, MSG_OOB), 1);
    EXPECT_ONE(epfd, t[0], EPOLLPRI);
    EXPECT_ONE(epfd, t[0], EPOLLPRI);
    CHECK_EQ(recv(t[0], &c, 1, MSG_OOB), 1);
    CHECK_EQ(c, '!');
    OK(ep_mod(epfd, t[0], EPOLLPRI | EPOLLET));
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(send(t[1], "?", 1, MSG_OOB), 1);
    EXPECT_ONE(epfd, t[0], EPOLLPRI);
    EXPECT_NOTHING(epfd);
    close_pair(t);
    OK(close(epfd));
}
