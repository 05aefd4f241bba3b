// Each write to an eventfd is an edge, even if the eventfd was not drained. A
// write of 0 is an edge too, while the counter is above 0.
// Source: eventfd(2); Linux: fs/eventfd.c:eventfd_write. Contract: 20
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    EXPECT_NOTHING_NOW(epfd);
    bump(e, 0); // a wakeup, but there is nothing to read
    EXPECT_NOTHING(epfd);
    for (int i = 0; i < 10; i++) {
        bump(e, i % 2);
        if (i == 0)
            EXPECT_NOTHING(epfd);
        else
            EXPECT_ONE(epfd, e, EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    EXPECT_NOTHING(epfd);
    CHECK_EQ(drain(e), 8);
    EXPECT_NOTHING_NOW(epfd);
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    OK(close(e));
    OK(close(epfd));
}
