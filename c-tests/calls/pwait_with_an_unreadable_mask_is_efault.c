// The kernel copies the signal mask before it looks at the set, so a ready event
// changes nothing.
// Source: Linux: kernel/signal.c:set_user_sigmask. Contract: 7
#include "harness.h"

static void test(void)
{
    sigset_t *unreadable =
        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec zero = {0, 0};
    struct epoll_event ev[1];
    int epfd = ep_new(), e = event_fd();
    CHECK(unreadable != MAP_FAILED);
    OK(ep_add(epfd, e, EPOLLOUT | EPOLLET));
    CHECK_ERR(epoll_pwait(epfd, ev, 1, 0, unreadable), EFAULT);
    CHECK_ERR(epoll_pwait(-1, ev, 1, 0, unreadable), EFAULT);
    CHECK_ERR(epoll_pwait(epfd, ev, 0, 0, unreadable), EFAULT);
    CHECK_ERR(epoll_pwait2(epfd, ev, 1, &zero, unreadable), EFAULT);
    CHECK_ERR(epoll_pwait(epfd, ev, 1, 0, (sigset_t *)8), EFAULT);
    EXPECT_ONE(epfd, e, EPOLLOUT);
    OK(munmap(unreadable, 4096));
    OK(close(e));
    OK(close(epfd));
}
