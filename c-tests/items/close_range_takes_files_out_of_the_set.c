// close_range and closefrom close watched files as close does, and may close
// the set itself. With CLOSE_RANGE_CLOEXEC nothing is closed yet.
// Source: close_range(2), closefrom(3). Contract: 12
#include "harness.h"

static void test(void)
{
    for (int from = 0; from < 2; from++) {
        int epfd = ep_new(), s[2], high = 900;
        struct epoll_event ev[1];
        unix_stream(s);
        CHECK_EQ(dup2(s[0], high), high);
        OK(close(s[0]));
        OK(ep_add(epfd, high, EPOLLIN));
        put(s[1], "x");
        EXPECT_ONE(epfd, high, EPOLLIN);
        OK(close_range(high, high, 4 /* CLOSE_RANGE_CLOEXEC */));
        CHECK_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
        EXPECT_ONE(epfd, high, EPOLLIN);
        CHECK_ERR(close_range(high, high - 1, 0), EINVAL);
        EXPECT_ONE(epfd, high, EPOLLIN);
        if (from)
            closefrom(high);
        else
            OK(close_range(high - 50, high + 50, 0));
        CHECK_ERR(fcntl(high, F_GETFD), EBADF);
        EXPECT_NOTHING(epfd);
        until_polls(s[1], POLLHUP);
        CHECK_ERR(ep_del(epfd, high), EBADF);

        CHECK_EQ(dup2(epfd, high), high);
        OK(close(epfd));
        OK(close_range(high, ~0U, 0));
        CHECK_ERR(epoll_wait(high, ev, 1, 0), EBADF);
        OK(close(s[1]));
    }
}
