// Level-triggered, an eventfd is reported until a read has set it to 0. In
// semaphore mode each read takes one.
// Source: eventfd(2). Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = OK(eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE));
    uint64_t value;
    OK(ep_add(epfd, e, EPOLLIN));
    for (int i = 0; i < 3; i++) {
        EXPECT_ONE(epfd, e, EPOLLIN);
        EXPECT_ONE(epfd, e, EPOLLIN);
        CHECK_EQ(read(e, &value, 8), 8);
        CHECK_EQ(value, 1);
    }
    EXPECT_NOTHING(epfd);
    OK(close(e));
    OK(close(epfd));
}
