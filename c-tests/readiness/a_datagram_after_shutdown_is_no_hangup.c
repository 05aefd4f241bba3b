// A UDP socket that was shut down reports a hang-up and still receives. A
// datagram that arrives is an edge for an item that asks for IN, and for no
// other item.
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), fd[2];
    udp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLET));
    OK(shutdown(fd[0], SHUT_RDWR));
    EXPECT_ONE(epfd, fd[0], EPOLLHUP);
    put(fd[1], "x");
    EXPECT_NOTHING(epfd);
    OK(ep_mod(epfd, fd[0], EPOLLET | EPOLLIN));
    EXPECT_ONE(epfd, fd[0], EPOLLIN | EPOLLHUP);
    put(fd[1], "y");
    EXPECT_ONE(epfd, fd[0], EPOLLIN | EPOLLHUP);
    close_pair(fd);
    OK(close(epfd));
}
