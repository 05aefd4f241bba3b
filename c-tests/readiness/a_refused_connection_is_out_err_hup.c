// A refused connect reports ERR and HUP beside what was asked for. SO_ERROR has
// the reason.
// Source: connect(2), EINPROGRESS. Contract: 23
#include "harness.h"

static void test(void)
{
    struct sockaddr_in at;
    int epfd = ep_new(), error = 0;
    socklen_t len = sizeof error;
    // The port is bound but not listening, so it refuses, and no other process
    // can take it.
    int nobody = OK(socket(AF_INET, SOCK_STREAM, 0));
    at = bind_loopback(nobody);
    int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == -1)
        CHECK(errno == EINPROGRESS || errno == ECONNREFUSED);
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP));
    EXPECT_ONE(epfd, fd,
               EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    CHECK_EQ(error, ECONNREFUSED);
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    OK(close(fd));
    OK(close(nobody));
    OK(close(epfd));
}
