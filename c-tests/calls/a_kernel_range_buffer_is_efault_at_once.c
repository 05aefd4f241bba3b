// A buffer in the kernel's half of the address space is refused at once: before
// anything is ready, and whatever the timeout.
// Source: Linux: fs/eventpoll.c:ep_check_params (access_ok). Contract: 5
#include "harness.h"

static void test(void)
{
    struct epoll_event *kernel = (void *)0xffff800000000000, *last = (void *)-1;
    int epfd = ep_new(), e = event_fd();
    CHECK_ERR(epoll_wait(epfd, kernel, 1, 0), EFAULT);
    CHECK_ERR(epoll_wait(epfd, kernel, 1, -1), EFAULT);
    CHECK_ERR(epoll_wait(epfd, last, 1, -1), EFAULT);
    OK(ep_add(epfd, e, EPOLLOUT | EPOLLET));
    CHECK_ERR(epoll_wait(epfd, kernel, 1, 0), EFAULT);
    EXPECT_ONE(epfd, e, EPOLLOUT);
    OK(close(e));
    OK(close(epfd));
}
