// Each expiry of a timerfd is an edge: of a timer that is set again without a
// read in between, or of a periodic timer that is read.
// Source: Linux: fs/timerfd.c:timerfd_triggered. Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), t = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    // A periodic timer that is not read stops after one expiry, so this timer
    // is set again.
    struct itimerspec once = {.it_value.tv_nsec = 5000000};
    uint64_t expiries;
    OK(ep_add(epfd, t, EPOLLIN | EPOLLET));
    for (int i = 0; i < 5; i++) {
        OK(timerfd_settime(t, 0, &once, NULL));
        EXPECT_ONE(epfd, t, EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    struct itimerspec periodic = {{0, 5000000}, {0, 5000000}};
    OK(timerfd_settime(t, 0, &periodic, NULL));
    for (int i = 0; i < 5; i++) {
        EXPECT_ONE(epfd, t, EPOLLIN);
        CHECK_EQ(read(t, &expiries, 8), 8);
        CHECK(expiries >= 1);
    }
    OK(close(t));
    OK(close(epfd));
}
