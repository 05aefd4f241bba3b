// MOD makes an item edge-triggered. It reports room that comes back after a
// refused write, as an item does that was added as edge-triggered.
// Source: epoll_ctl(2), EPOLL_CTL_MOD. Contract: 19
#include "harness.h"

static void test(void)
{
    for (int waits = 0; waits < 4; waits++) {
        int epfd = ep_new(), fd[2];
        tcp_pair(fd);
        OK(ep_add(epfd, fd[0], EPOLLOUT));
        for (int n = 0; n < waits; n++)
            EXPECT_ONE(epfd, fd[0], EPOLLOUT);
        OK(ep_mod(epfd, fd[0], EPOLLIN | EPOLLOUT | EPOLLET));
        EXPECT_ONE(epfd, fd[0], EPOLLOUT);
        for (int n = 0; n < 3; n++) {
            long all = fill(fd[0]);
            drain_exactly(fd[1], all);
            until_polls(fd[0], POLLOUT);
            EXPECT_ONE(epfd, fd[0], EPOLLOUT);
        }
        EXPECT_NOTHING_NOW(epfd);
        close_pair(fd);
        OK(close(epfd));
    }
}
