// ADD of an existing item is EEXIST and does not change it; MOD and DEL of a
// missing item are ENOENT.
// Source: epoll_ctl(2). Contract: 3, 11
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), other = ep_new(), e = event_fd();
    CHECK_ERR(ep_mod(epfd, e, EPOLLIN), ENOENT);
    CHECK_ERR(ep_del(epfd, e), ENOENT);
    OK(ep_add(epfd, e, EPOLLOUT));
    CHECK_ERR(ep_ctl(epfd, EPOLL_CTL_ADD, e, EPOLLIN, 5), EEXIST);
    EXPECT_ONE(epfd, e, EPOLLOUT);
    // Another set has its own items.
    CHECK_ERR(ep_mod(other, e, EPOLLIN), ENOENT);
    CHECK_ERR(ep_del(other, e), ENOENT);
    OK(ep_add(other, e, EPOLLOUT));
    OK(ep_del(epfd, e));
    CHECK_ERR(ep_del(epfd, e), ENOENT);
    CHECK_ERR(ep_mod(epfd, e, EPOLLOUT), ENOENT);
    OK(ep_add(epfd, e, EPOLLOUT));
    EXPECT_ONE(epfd, e, EPOLLOUT);
    EXPECT_ONE(other, e, EPOLLOUT);
    OK(close(e));
    OK(close(other));
    OK(close(epfd));
}
