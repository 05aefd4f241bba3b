// A multipath TCP connection reports data, room that comes back, the half-close and the end, level and edge.
// Source: tcp(7); Linux: net/mptcp/protocol.c:mptcp_poll. Contract: 23
#include "harness.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static void mptcp_pair(int fd[2])
{
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    if (listener < 0)
        SKIP("no MPTCP: %s", strerrorname_np(errno));
    struct sockaddr_in at = bind_loopback(listener);
    OK(listen(listener, 8));
    fd[0] = OK(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
    OK(connect(fd[0], (struct sockaddr *)&at, sizeof at));
    fd[1] = OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
    OK(fcntl(fd[0], F_SETFL, O_NONBLOCK));
    OK(close(listener));
}

static void data_and_end(uint32_t edge)
{
    int epfd = ep_new(), fd[2];
    mptcp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLRDHUP | edge));
    for (int n = 0; n < 5; n++) {
        put(fd[1], "x");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        CHECK_EQ(drain(fd[0]), 1);
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(close(fd[1]));
    until_polls(fd[0], POLLIN | POLLRDHUP);
    EXPECT_ONE(epfd, fd[0], EPOLLIN | EPOLLRDHUP);
    OK(close(fd[0]));
    OK(close(epfd));
}

// The data moves on to the subflow a little later, and then there is room again. So this fills until there is no room
// for a while.
static long fill_for_good(int fd)
{
    struct pollfd p = {fd, POLLOUT, 0};
    long all = 0;
    do
        all += fill(fd);
    while (poll(&p, 1, 100) == 1);
    return all;
}

static void room(uint32_t edge)
{
    int epfd = ep_new(), fd[2];
    mptcp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLOUT | edge));
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    for (int n = 0; n < 4; n++) {
        long all = fill_for_good(fd[0]);
        struct waiter w;
        if (edge) // takes the edge of the room that came during the filling
            epoll_wait(epfd, &(struct epoll_event){0}, 1, 0);
        EXPECT_NOTHING_NOW(epfd);
        if (n % 2)
            waiter_block(&w, epfd);
        drain_exactly(fd[1], all);
        if (n % 2)
            waiter_join_with(&w, fd[0], EPOLLOUT);
        else
            EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    }
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    data_and_end(0);
    data_and_end(EPOLLET);
    room(0);
    room(EPOLLET);
}
