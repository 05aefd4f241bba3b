// A timespec with negative seconds, or nanoseconds outside 0 to 999,999,999, is
// EINVAL. A timespec that cannot be read is EFAULT. Both come before EBADF.
// Source: Linux: fs/eventpoll.c:SYSCALL_DEFINE6(epoll_pwait2). Contract: 6
#include "harness.h"

static void test(void)
{
    struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}, {1, LONG_MAX},
                             {LONG_MIN, 0}, {-1, -1}};
    struct timespec *unreadable =
        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct epoll_event ev[1];
    int epfd = ep_new(), e = event_fd();
    CHECK(unreadable != MAP_FAILED);
    OK(ep_add(epfd, e, EPOLLOUT)); // a ready event does not hide the error
    for (int i = 0; i < 6; i++) {
        CHECK_ERR(epoll_pwait2(epfd, ev, 1, &bad[i], NULL), EINVAL);
        CHECK_ERR(epoll_pwait2(-1, ev, 1, &bad[i], NULL), EINVAL);
    }
    CHECK_ERR(syscall(SYS_epoll_pwait2, epfd, ev, 1, unreadable, NULL, 8), EFAULT);
    CHECK_ERR(syscall(SYS_epoll_pwait2, -1, ev, 1, unreadable, NULL, 8), EFAULT);
    OK(munmap(unreadable, 4096));
    OK(close(e));
    OK(close(epfd));
}
