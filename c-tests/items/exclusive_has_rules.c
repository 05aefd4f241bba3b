// EPOLLEXCLUSIVE works with ADD only, with few other bits, and not for an epoll
// file. An exclusive item cannot be changed, only deleted.
// Source: epoll_ctl(2), EINVAL; Linux: fs/eventpoll.c:EPOLLEXCLUSIVE_OK_BITS.
// Contract: 3, 16
#include "harness.h"

static void test(void)
{
    const uint32_t X = EPOLLEXCLUSIVE;
    uint32_t bad[] = {EPOLLPRI, EPOLLRDHUP, EPOLLONESHOT, EPOLLRDNORM,
                      EPOLLRDBAND, EPOLLWRNORM, EPOLLWRBAND, EPOLLMSG};
    int epfd = ep_new(), inner = ep_new(), e = event_fd();
    for (int i = 0; i < 8; i++)
        CHECK_ERR(ep_add(epfd, e, X | EPOLLIN | bad[i]), EINVAL);
    CHECK_ERR(ep_add(epfd, inner, X | EPOLLIN), EINVAL);
    CHECK_ERR(ep_mod(epfd, e, X | EPOLLIN), EINVAL); // before ENOENT

    uint32_t good[] = {0, EPOLLIN, EPOLLOUT, EPOLLERR | EPOLLHUP, EPOLLWAKEUP,
                       EPOLLIN | EPOLLOUT | EPOLLET | EPOLLWAKEUP};
    for (int i = 0; i < 6; i++) {
        OK(ep_add(epfd, e, X | good[i]));
        CHECK_ERR(ep_add(epfd, e, X | good[i]), EEXIST);
        CHECK_ERR(ep_mod(epfd, e, good[i]), EINVAL);
        CHECK_ERR(ep_mod(epfd, e, X | good[i]), EINVAL);
        OK(ep_del(epfd, e));
    }
    OK(ep_add(epfd, e, EPOLLIN));
    CHECK_ERR(ep_mod(epfd, e, X | EPOLLIN), EINVAL);
    OK(close(e));
    OK(close(inner));
    OK(close(epfd));
}
