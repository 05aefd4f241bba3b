// A TCP socket that is neither connected nor listening reports HUP, and OUT if
// asked for. connect ends this.
// Source: Linux: net/ipv4/tcp.c:tcp_poll. Contract: 23
#include "harness.h"

static void test(void)
{
    struct sockaddr_in at;
    int epfd = ep_new(), listener = tcp_listener(&at);
    int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, fd, EPOLLOUT | EPOLLHUP);
    OK(ep_mod(epfd, fd, EPOLLIN));
    EXPECT_ONE(epfd, fd, EPOLLHUP);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == -1)
        CHECK_EQ(errno, EINPROGRESS);
    until_polls(fd, POLLOUT);
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, fd, EPOLLOUT);
    OK(close(fd));
    OK(close(listener));
    OK(close(epfd));
}
