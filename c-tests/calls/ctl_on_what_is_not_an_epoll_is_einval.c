// epfd must be an epoll fd, and the watched file must not be the same set, not
// even through a dup. Both are EINVAL, whatever the op.
// Source: epoll_ctl(2), EINVAL. Contract: 3
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd(), p[2], twin = OK(dup(epfd));
    int file = OK(open("/proc/self/exe", O_RDONLY));
    int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0, 99};
    pipe_pair(p);
    for (int op = 0; op < 5; op++) {
        CHECK_ERR(ep_ctl(e, ops[op], p[0], EPOLLIN, 0), EINVAL);
        CHECK_ERR(ep_ctl(file, ops[op], p[0], EPOLLIN, 0), EINVAL);
        CHECK_ERR(ep_ctl(p[0], ops[op], p[0], EPOLLIN, 0), EINVAL);
        CHECK_ERR(ep_ctl(p[0], ops[op], epfd, EPOLLIN, 0), EINVAL);
        CHECK_ERR(ep_ctl(epfd, ops[op], epfd, EPOLLIN, 0), EINVAL);
        CHECK_ERR(ep_ctl(epfd, ops[op], twin, EPOLLIN, 0), EINVAL);
    }
    close_pair(p);
    OK(close(file));
    OK(close(twin));
    OK(close(e));
    OK(close(epfd));
}
