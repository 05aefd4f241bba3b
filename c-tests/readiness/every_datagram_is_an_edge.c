// UDP and unix datagram sockets: a level lasts until the queue is empty, and each arrival is an edge.
// Source: udp(7), unix(7). Contract: 18, 19
// Limit: poll: on a unix datagram socket that was not drained another datagram is no edge
#include "harness.h"

static void test(void)
{
    for (int udp = 0; udp < 2; udp++) {
        int epfd = ep_new(), s[2];
        char buf[16];
        if (udp)
            udp_pair(s);
        else
            OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
        OK(ep_add(epfd, s[0], EPOLLIN));
        EXPECT_NOTHING_NOW(epfd);
        put(s[1], "one");
        put(s[1], "two");
        for (int i = 0; i < 2; i++) {
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            CHECK_EQ(read(s[0], buf, sizeof buf), 3);
            until_polls(s[0], i == 0 ? POLLIN : 0);
        }
        EXPECT_NOTHING(epfd);
        OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLET));
        for (int i = 0; i < 10; i++) {
            put(s[1], "x");
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(s);
        OK(close(epfd));
    }
}
