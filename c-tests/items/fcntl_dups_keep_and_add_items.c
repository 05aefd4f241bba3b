// F_DUPFD and F_DUPFD_CLOEXEC make dups as dup does: a dup keeps the item of a
// closed fd, and can be an item of its own.
// Source: fcntl(2). Contract: 11, 12
#include "harness.h"

static void test(void)
{
    int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC};
    for (int i = 0; i < 2; i++) {
        int epfd = ep_new(), s[2];
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN));
        int twin = OK(fcntl(s[0], commands[i], 400));
        CHECK(twin >= 400);
        OK(close(s[0]));
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(drain(twin), 1);
        OK(ep_add(epfd, twin, EPOLLOUT));
        EXPECT_ONE(epfd, twin, EPOLLOUT);
        OK(close(twin));
        EXPECT_NOTHING(epfd);
        OK(close(s[1]));
        OK(close(epfd));
    }
}
