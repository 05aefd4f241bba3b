// An eventfd at its maximum is not writable. A read of it is an OUT edge and
// wakes a waiter.
// Source: eventfd(2). Contract: 19, 20
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    struct waiter w;
    OK(ep_add(epfd, e, EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, e, EPOLLOUT);
    EXPECT_NOTHING(epfd);
    bump(e, 0xfffffffffffffffe);
    EXPECT_NOTHING(epfd);
    waiter_block(&w, epfd);
    CHECK_EQ(drain(e), 8);
    waiter_join_with(&w, e, EPOLLOUT);
    OK(ep_mod(epfd, e, EPOLLIN | EPOLLOUT));
    bump(e, 0xfffffffffffffffe);
    EXPECT_ONE(epfd, e, EPOLLIN);
    OK(close(e));
    OK(close(epfd));
}
