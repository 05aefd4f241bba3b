// An op other than ADD, MOD and DEL is EINVAL, whether or not the item exists,
// and changes nothing.
// Source: epoll_ctl(2), EINVAL. Contract: 3
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd(), ops[] = {0, 4, 99, -1, INT_MAX};
    for (int i = 0; i < 5; i++)
        CHECK_ERR(ep_ctl(epfd, ops[i], e, EPOLLOUT, 1), EINVAL);
    OK(ep_add(epfd, e, EPOLLOUT));
    for (int i = 0; i < 5; i++)
        CHECK_ERR(ep_ctl(epfd, ops[i], e, EPOLLIN, 1), EINVAL);
    EXPECT_ONE(epfd, e, EPOLLOUT);
    OK(close(e));
    OK(close(epfd));
}
