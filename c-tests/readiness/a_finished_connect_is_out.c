// A non-blocking connect that succeeds reports OUT, also to an edge-triggered
// item added before connect was called.
// Source: connect(2), EINPROGRESS. Contract: 23
// Limit: poll: what falls and rises again between two looks is no edge
#include "harness.h"

static void test(void)
{
    for (int before = 0; before < 2; before++) {
        struct sockaddr_in at;
        int epfd = ep_new(), listener = tcp_listener(&at), error = -1;
        socklen_t len = sizeof error;
        int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (before) {
            OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT | EPOLLET));
            EXPECT_ONE(epfd, fd, EPOLLOUT | EPOLLHUP);
        }
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == -1)
            CHECK_EQ(errno, EINPROGRESS);
        if (!before)
            OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT | EPOLLET));
        EXPECT_ONE(epfd, fd, EPOLLOUT);
        OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
        CHECK_EQ(error, 0);
        int server = accept_one(listener);
        put(server, "x");
        EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLOUT);
        OK(close(server));
        OK(close(fd));
        OK(close(listener));
        OK(close(epfd));
    }
}
