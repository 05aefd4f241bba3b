// EPOLLWAKEUP is accepted, with or without the capability for it. Events do not
// show it, nor any other input flag.
// Source: epoll_ctl(2). Contract: 9
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN | EPOLLWAKEUP));
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    OK(ep_mod(epfd, e, EPOLLIN | EPOLLOUT | EPOLLWAKEUP | EPOLLET | EPOLLONESHOT));
    EXPECT_ONE(epfd, e, EPOLLIN | EPOLLOUT);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(e));
    OK(close(epfd));
}
