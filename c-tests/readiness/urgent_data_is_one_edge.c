// Urgent data wakes an item once, when the data is there. Its announcement
// before that, and an acknowledgement that comes later, are no edges.
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), fd[2];
    tcp_pair(fd);
    OK(ep_add(epfd, fd[1], EPOLLIN | EPOLLPRI | EPOLLET));
    CHECK_EQ(send(fd[0], "!", 1, MSG_OOB), 1);
    until_polls(fd[1], POLLPRI);
    EXPECT_ONE(epfd, fd[1], EPOLLPRI);
    EXPECT_NOTHING_NOW(epfd);
    put(fd[1], "what it writes itself is acknowledged");
    EXPECT_NOTHING_NOW(epfd);
    close_pair(fd);
    OK(close(epfd));
}
