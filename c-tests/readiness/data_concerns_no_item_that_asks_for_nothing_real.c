// An item asks only for bits that no file ever has, such as EPOLLMSG: data does
// not wake it.
#include "harness.h"

static void quiet(int fd[2])
{
    int epfd = ep_new();
    OK(ep_add(epfd, fd[0], EPOLLOUT | EPOLLMSG | EPOLLET));
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    put(fd[1], "x");
    until_polls(fd[0], POLLIN);
    EXPECT_NOTHING_NOW(epfd);
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    int fd[2];
    tcp_pair(fd);
    quiet(fd);
    unix_stream(fd);
    quiet(fd);
    udp_pair(fd);
    quiet(fd);
}
