// A connected UDP socket whose datagram was refused reports ERR, until the
// error is read.
// Source: udp(7), ECONNREFUSED. Contract: 15
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), s[2], error = 0;
        socklen_t len = sizeof error;
        udp_pair(s);
        OK(ep_add(epfd, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
        OK(close(s[1]));
        EXPECT_NOTHING_NOW(epfd);
        put(s[0], "x");
        EXPECT_ONE(epfd, s[0], EPOLLERR);
        OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &len));
        CHECK_EQ(error, ECONNREFUSED);
        EXPECT_NOTHING(epfd);
        OK(close(s[0]));
        OK(close(epfd));
    }
}
