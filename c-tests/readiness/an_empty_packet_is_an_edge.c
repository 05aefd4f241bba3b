// A packet of no bytes is an edge like any other, read or not.
// Source: unix(7), SOCK_SEQPACKET. Contract: 19
// Limit: poll: a packet of no bytes behind others is not seen by looking
#include "harness.h"

static void test(void)
{
    for (int drained = 0; drained < 4; drained++) {
        int epfd = ep_new(), fd[2];
        char buf[8];
        OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd));
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        for (int n = 0; n < drained; n++) {
            CHECK_EQ(send(fd[1], "x", 1, 0), 1);
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(recv(fd[0], buf, 8, 0), 1);
            CHECK_ERR(recv(fd[0], buf, 8, 0), EAGAIN);
        }
        for (int n = 0; n < 3; n++) {
            CHECK_EQ(send(fd[1], "", 0, 0), 0);
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
        }
        EXPECT_NOTHING_NOW(epfd);
        close_pair(fd);
        OK(close(epfd));
    }
}
