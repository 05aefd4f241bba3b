// A read stops short at an urgent mark that came and was taken before the socket was added: what lies behind it is still
// reported.
// Source: Linux: net/ipv4/tcp.c:tcp_recvmsg_locked; fs/eventpoll.c:ep_send_events. Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), one[2];
    char buf[64];
    tcp_pair(one);
    put(one[1], "ab");
    CHECK_EQ(send(one[1], "u", 1, MSG_OOB), 1);
    put(one[1], "cde");
    until_polls(one[0], POLLIN | POLLPRI);
    sleep_ms(20);
    CHECK_EQ(recv(one[0], buf, 1, MSG_OOB), 1);
    OK(ep_add(epfd, one[0], EPOLLIN));
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 2);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 3);
    EXPECT_NOTHING(epfd);
    close_pair(one);
    OK(close(epfd));
}
