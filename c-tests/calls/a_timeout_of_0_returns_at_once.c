// A wait with timeout 0, in ms or as a timespec, never sleeps. 10,000 waits on
// a set with nothing ready return without one sleep; a wait on a set with
// something ready reports it.
// Source: epoll_wait(2). Contract: 6
#include "harness.h"

static void test(void)
{
    struct timespec zero = {0, 0};
    struct epoll_event ev[1];
    int epfd = ep_new(), empty = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    struct rusage before, after;
    OK(getrusage(RUSAGE_SELF, &before));
    for (int i = 0; i < 10000; i++) {
        CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
        CHECK_EQ(epoll_wait(empty, ev, 1, 0), 0);
        CHECK_EQ(epoll_pwait2(epfd, ev, 1, &zero, NULL), 0);
    }
    OK(getrusage(RUSAGE_SELF, &after));
    long sleeps = after.ru_nvcsw - before.ru_nvcsw;
    if (sleeps > 1000)
        FAIL("%ld sleeps in 30,000 waits", sleeps);
    put(s[1], "x");
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 1);
    CHECK_EQ(epoll_pwait2(epfd, ev, 1, &zero, NULL), 1);
    close_pair(s);
    OK(close(epfd));
    OK(close(empty));
}
