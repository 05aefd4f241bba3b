// After close or dup2 of a set's fd, the fd stands for the file that has it
// now.
// Source: epoll_wait(2), EINVAL. Contract: 5
#include "harness.h"

static void test(void)
{
    struct epoll_event ev[1];
    int e = event_fd(), epfd = ep_new();
    OK(ep_add(epfd, e, EPOLLOUT));
    OK(close(epfd));
    CHECK_ERR(epoll_wait(epfd, ev, 1, 0), EBADF);
    CHECK_EQ(event_fd(), epfd); // the lowest free fd
    CHECK_ERR(epoll_wait(epfd, ev, 1, 0), EINVAL);
    CHECK_ERR(ep_add(epfd, e, EPOLLOUT), EINVAL);
    bump(epfd, 3);
    CHECK_EQ(drain(epfd), 8);

    // A new set under the fd has none of the old set's items.
    OK(close(epfd));
    CHECK_EQ(ep_new(), epfd);
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_add(epfd, e, EPOLLOUT));
    EXPECT_ONE(epfd, e, EPOLLOUT);

    CHECK_EQ(dup2(e, epfd), epfd);
    CHECK_ERR(epoll_wait(epfd, ev, 1, 0), EINVAL);
    CHECK_ERR(ep_mod(epfd, e, EPOLLOUT), EINVAL);
    OK(close(epfd));
    OK(close(e));
}
