// A listening socket is never writable. After a shutdown it reports OUT and
// HUP. When it is then connected, it reports like any other connection,
// including room to write.
// Source: Linux: net/ipv4/af_inet.c:inet_shutdown, net/ipv4/tcp.c:tcp_poll.
// Contract: 23
// Limit: poll: what falls and rises again between two looks is no edge
#include "harness.h"

static void serves(uint32_t mode)
{
    struct sockaddr_in own, other;
    int epfd = ep_new(), fd = tcp_listener(&own), listener = tcp_listener(&other);
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT | mode));
    EXPECT_NOTHING_NOW(epfd);
    int client = tcp_connect(&own);
    EXPECT_ONE(epfd, fd, EPOLLIN);
    int server = accept_one(fd);
    EXPECT_NOTHING(epfd);
    OK(close(client));
    OK(close(server));

    OK(shutdown(fd, SHUT_RD));
    EXPECT_ONE(epfd, fd, EPOLLOUT | EPOLLHUP);
    if (connect(fd, (struct sockaddr *)&other, sizeof other) == -1)
        CHECK_EQ(errno, EINPROGRESS);
    until_polls(fd, POLLOUT);
    EXPECT_ONE(epfd, fd, EPOLLOUT);
    int peer = accept_one(listener);

    long full = fill(fd);
    until_polls(peer, POLLIN);
    OK(ep_mod(epfd, fd, EPOLLOUT | mode));
    EXPECT_NOTHING_NOW(epfd);
    drain_exactly(peer, full);
    until_polls(fd, POLLOUT);
    EXPECT_ONE(epfd, fd, EPOLLOUT);
    OK(close(peer));
    OK(close(fd));
    OK(close(listener));
    OK(close(epfd));
}

static void test(void)
{
    serves(0);
    serves(EPOLLET);
}
