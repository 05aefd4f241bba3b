// DEL ignores the event pointer: NULL works, and so does an invalid address.
// Source: epoll_ctl(2), BUGS. Contract: 4
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    struct epoll_event *rubbish[] = {NULL, (void *)8, (void *)-1,
                                     (void *)0xffff800000000000};
    for (int i = 0; i < 4; i++) {
        OK(ep_add(epfd, e, EPOLLIN));
        OK(epoll_ctl(epfd, EPOLL_CTL_DEL, e, rubbish[i]));
        CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_DEL, e, rubbish[i]), ENOENT);
        CHECK_ERR(epoll_ctl(-1, EPOLL_CTL_DEL, e, rubbish[i]), EBADF);
    }
    OK(close(e));
    OK(close(epfd));
}
