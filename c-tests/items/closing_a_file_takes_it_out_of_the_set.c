// After the last close nothing is reported any more: no event that was pending,
// and none that comes later. The peer sees the end at once.
// Source: epoll(7), Q6. Contract: 12, 39
#include "harness.h"

static void test(void)
{
    for (int kind = 0; kind < 3; kind++) {
        int epfd = ep_new(), fd[2], at_risk;
        if (kind == 0)
            unix_stream(fd);
        else if (kind == 1)
            tcp_pair(fd);
        else
            pipe_pair(fd);
        at_risk = fd[0];
        OK(ep_add(epfd, at_risk, EPOLLIN));
        put(fd[1], "x");
        until_polls(at_risk, POLLIN);
        OK(close(at_risk));
        EXPECT_NOTHING(epfd);
        CHECK_ERR(ep_del(epfd, at_risk), EBADF);
        CHECK_ERR(ep_mod(epfd, at_risk, EPOLLIN), EBADF);
        until_polls(fd[1], kind == 2 ? POLLERR : POLLHUP);
        EXPECT_NOTHING_NOW(epfd);
        OK(close(fd[1]));
        OK(close(epfd));
    }
}
