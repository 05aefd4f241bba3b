// An item's fd is closed and then stands for another file. What the program
// reads from the other file says nothing about the item's own file.
// Source: epoll(7), Q6. Contract: 12
#include "harness.h"

static void test(void)
{
    for (int same_set = 0; same_set < 2; same_set++) {
        int epfd = ep_new(), set = same_set ? epfd : ep_new(), fd[2], peer[2];
        tcp_pair(fd);
        tcp_pair(peer);
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[0], EPOLLIN | EPOLLET, 1));
        int old = fd[0], copy = OK(dup(old));
        OK(close(old));
        CHECK_EQ(dup2(peer[0], old), old);
        OK(close(peer[0]));
        peer[0] = old;
        OK(ep_ctl(set, EPOLL_CTL_ADD, peer[0], EPOLLIN | EPOLLET, 2));
        for (int n = 0; n < 40; n++) {
            put(fd[1], "ab");
            EXPECT_ONE(epfd, 1, EPOLLIN);
            put(peer[1], "x");
            EXPECT_ONE(set, 2, EPOLLIN);
            CHECK_EQ(drain(peer[0]), 1);
            EXPECT_NOTHING_NOW(epfd);
            if (n % 3)
                CHECK_EQ(drain(copy) % 2, 0);
            EXPECT_NOTHING_NOW(epfd);
        }
        OK(close(copy));
        OK(close(fd[1]));
        close_pair(peer);
        if (!same_set)
            OK(close(set));
        OK(close(epfd));
    }
}
