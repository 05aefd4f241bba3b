// A waiter sleeps through, though an eventfd with an edge-triggered item has been told of and never read: nothing
// wakes it in between. mio's wakers are such; a loop that looks every few milliseconds keeps a machine awake.
// Source: epoll(7). Contract: 20
#include "harness.h"

static long sleeps(void)
{
    struct rusage usage;
    OK(getrusage(RUSAGE_SELF, &usage));
    return usage.ru_nvcsw;
}

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    struct epoll_event events[4];
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    for (int round = 0; round < 3; round++) {
        bump(e, 1);
        EXPECT_ONE(epfd, e, EPOLLIN);
        long before = sleeps();
        CHECK_EQ(epoll_wait(epfd, events, 4, 300), 0);
        long count = sleeps() - before;
        if (count > 10)
            FAIL("slept %ld times in 300 ms", count);
    }
    OK(close(e));
    OK(close(epfd));
}
