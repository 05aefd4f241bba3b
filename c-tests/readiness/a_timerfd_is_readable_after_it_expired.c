// A timerfd reports IN from its expiry until it is read, and not before its
// expiry.
// Source: timerfd_create(2). Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), t = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec in_20_ms = {.it_value.tv_nsec = 20000000}, off = {0};
    OK(ep_add(epfd, t, EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    int64_t start = now_ns();
    OK(timerfd_settime(t, 0, &in_20_ms, NULL));
    EXPECT_ONE(epfd, t, EPOLLIN);
    CHECK(now_ns() - start >= 20000000);
    EXPECT_ONE(epfd, t, EPOLLIN);
    CHECK_EQ(drain(t), 8);
    EXPECT_NOTHING_NOW(epfd);
    // Setting the timer again ends the readiness.
    OK(timerfd_settime(t, 0, &in_20_ms, NULL));
    EXPECT_ONE(epfd, t, EPOLLIN);
    OK(timerfd_settime(t, 0, &off, NULL));
    EXPECT_NOTHING(epfd);
    OK(close(t));
    OK(close(epfd));
}
