// A periodic timer that is not read makes one edge: the kernel does not restart
// it before the read. Setting it again makes a new edge.
// Source: Linux: fs/timerfd.c:timerfd_tmrproc. Contract: 19, 23
#include "harness.h"

static void test(void)
{
    struct itimerspec often = {{0, 2000000}, {0, 2000000}};
    uint64_t count;
    int epfd = ep_new(), t = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    OK(ep_add(epfd, t, EPOLLIN | EPOLLET));
    for (int i = 0; i < 3; i++) {
        OK(timerfd_settime(t, 0, &often, NULL));
        EXPECT_ONE(epfd, t, EPOLLIN);
        EXPECT_NOTHING(epfd);
    }
    // Only one read: the timer goes on, and may expire before a second read.
    CHECK_EQ(read(t, &count, sizeof count), 8);
    EXPECT_ONE(epfd, t, EPOLLIN);
    OK(close(t));
    OK(close(epfd));
}
