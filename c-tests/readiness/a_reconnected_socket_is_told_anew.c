// A TCP socket is disconnected and connected again. It reports as before: not
// connected, connected, data; level and edge.
// Source: connect(2), AF_UNSPEC; Linux: net/ipv4/tcp.c:tcp_disconnect.
// Contract: 23
#include "harness.h"

static void test(void)
{
    for (uint32_t e = 0; e < 2; e++) {
        uint32_t edge = e ? EPOLLET : 0;
        struct sockaddr_in at;
        int error;
        socklen_t len = sizeof error;
        struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
        int epfd = ep_new(), listener = tcp_listener(&at);
        int fd = tcp_connect(&at), peer = accept_one(listener);
        OK(ep_add(epfd, fd, EPOLLIN | edge));
        for (int n = 0; n < 4; n++) {
            put(peer, "x");
            EXPECT_ONE(epfd, fd, EPOLLIN);
            CHECK_EQ(drain(fd), 1);
            EXPECT_NOTHING_NOW(epfd);
            OK(connect(fd, &nowhere, sizeof nowhere));
            EXPECT_ONE(epfd, fd, EPOLLHUP | EPOLLERR);
            OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
            int done = connect(fd, (struct sockaddr *)&at, sizeof at);
            CHECK(done == 0 || errno == EINPROGRESS);
            OK(close(peer));
            peer = accept_one(listener);
            until_polls(fd, POLLOUT);
            struct epoll_event ev[2];
            (void)!epoll_wait(epfd, ev, 2, 0);
        }
        put(peer, "x");
        EXPECT_ONE(epfd, fd, EPOLLIN);
        OK(close(peer));
        OK(close(fd));
        OK(close(listener));
        OK(close(epfd));
    }
}
