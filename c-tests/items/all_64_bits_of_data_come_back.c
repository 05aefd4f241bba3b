// data belongs to the program: every bit comes back as given, and MOD replaces
// it.
// Source: epoll_event(3type). Contract: 17
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    uint64_t value = 0x123456789abcdef0;
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, e, EPOLLOUT, UINT64_MAX));
    EXPECT_ONE(epfd, UINT64_MAX, EPOLLOUT);
    for (int i = 0; i < 64; i++) {
        OK(ep_ctl(epfd, EPOLL_CTL_MOD, e, EPOLLOUT, 1ULL << i));
        EXPECT_ONE(epfd, 1ULL << i, EPOLLOUT);
    }
    OK(ep_ctl(epfd, EPOLL_CTL_MOD, e, EPOLLOUT, value));
    EXPECT_ONE(epfd, value, EPOLLOUT);
    // A refused ADD does not change the data.
    CHECK_ERR(ep_ctl(epfd, EPOLL_CTL_ADD, e, EPOLLOUT, 1), EEXIST);
    EXPECT_ONE(epfd, value, EPOLLOUT);
    OK(close(e));
    OK(close(epfd));
}
