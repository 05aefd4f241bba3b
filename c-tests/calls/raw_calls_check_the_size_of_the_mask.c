// The system calls take the size of the signal mask, and accept only the
// kernel's 8 bytes. Without a mask they ignore the size.
// Source: Linux: kernel/signal.c:set_user_sigmask. Contract: 7, 10
#include "harness.h"

static void test(void)
{
    struct timespec zero = {0, 0};
    struct epoll_event ev[1];
    int epfd = ep_new();
    long bad[] = {0, 4, 7, 9, 16, sizeof(sigset_t), -1};
    sigset_t mask;
    sigemptyset(&mask);
    for (int i = 0; i < 7; i++) {
        CHECK_ERR(syscall(SYS_epoll_pwait, epfd, ev, 1, 0, &mask, bad[i]), EINVAL);
        CHECK_ERR(syscall(SYS_epoll_pwait, -1, ev, 1, 0, &mask, bad[i]), EINVAL);
        CHECK_ERR(syscall(SYS_epoll_pwait2, epfd, ev, 1, &zero, &mask, bad[i]),
                  EINVAL);
        CHECK_EQ(syscall(SYS_epoll_pwait, epfd, ev, 1, 0, NULL, bad[i]), 0);
        CHECK_EQ(syscall(SYS_epoll_pwait2, epfd, ev, 1, &zero, NULL, bad[i]), 0);
    }
    CHECK_ERR(syscall(SYS_epoll_pwait, epfd, ev, 1, 0, (void *)8, 4), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_pwait, epfd, ev, 1, 0, (void *)8, 8), EFAULT);
    CHECK_EQ(syscall(SYS_epoll_pwait, epfd, ev, 1, 0, &mask, 8), 0);
    CHECK_EQ(syscall(SYS_epoll_pwait2, epfd, ev, 1, &zero, &mask, 8), 0);
    OK(close(epfd));
}
