// F_GETFL returns O_RDWR. O_NONBLOCK can be set, and a wait still blocks.
// Source: fcntl(2); Linux: fs/eventpoll.c:do_epoll_create. Contract: 2
#include "harness.h"

static void test(void)
{
    struct epoll_event ev[1];
    int epfd = ep_new();
    CHECK_EQ(fcntl(epfd, F_GETFL) & O_ACCMODE, O_RDWR);
    CHECK_EQ(fcntl(epfd, F_GETFL) & O_NONBLOCK, 0);
    OK(fcntl(epfd, F_SETFL, O_NONBLOCK));
    CHECK_EQ(fcntl(epfd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);
    int64_t start = now_ns();
    CHECK_EQ(epoll_wait(epfd, ev, 1, 20), 0);
    CHECK(now_ns() - start >= 20000000);
    OK(fcntl(epfd, F_SETFL, 0));
    CHECK_EQ(fcntl(epfd, F_GETFL) & O_NONBLOCK, 0);
    OK(close(epfd));
}
