// Each call made by its system call number works and fails as the function
// does. Both act on the same sets.
// Source: syscall(2). Contract: 10
#include "harness.h"

static void test(void)
{
    struct epoll_event ev[4], in = {.events = EPOLLIN, .data.u64 = 9};
    struct timespec ms = {0, 1000000};
    int e = event_fd();
#ifdef SYS_epoll_create
    CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    OK(close(OK(syscall(SYS_epoll_create, 1))));
#endif
    CHECK_ERR(syscall(SYS_epoll_create1, 1), EINVAL);
    int epfd = OK(syscall(SYS_epoll_create1, EPOLL_CLOEXEC));
    CHECK_EQ(fcntl(epfd, F_GETFD), FD_CLOEXEC);

    CHECK_ERR(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_MOD, e, &in), ENOENT);
    CHECK_ERR(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, e, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, -1, &in), EBADF);
    CHECK_EQ(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, e, &in), 0);
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_ADD, e, &in), EEXIST);

#ifdef SYS_epoll_wait
    CHECK_EQ(syscall(SYS_epoll_wait, epfd, ev, 4, 1), 0);
    CHECK_ERR(syscall(SYS_epoll_wait, epfd, ev, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_wait, -1, ev, 4, 0), EBADF);
#endif
    CHECK_EQ(syscall(SYS_epoll_pwait, epfd, ev, 4, 1, NULL, 8), 0);
    CHECK_EQ(syscall(SYS_epoll_pwait2, epfd, ev, 4, &ms, NULL, 8), 0);
    bump(e, 1);
    EXPECT_ONE(epfd, 9, EPOLLIN);
#ifdef SYS_epoll_wait
    CHECK_EQ(syscall(SYS_epoll_wait, epfd, ev, 4, -1), 1);
    CHECK_EVENT(ev[0], 9, EPOLLIN);
#endif
    CHECK_EQ(syscall(SYS_epoll_pwait, epfd, ev, 4, -1, NULL, 8), 1);
    CHECK_EVENT(ev[0], 9, EPOLLIN);
    CHECK_EQ(syscall(SYS_epoll_pwait2, epfd, ev, 4, NULL, NULL, 8), 1);
    CHECK_EVENT(ev[0], 9, EPOLLIN);
    CHECK_EQ(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, e, NULL), 0);
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(syscall(SYS_close, e), 0);
    CHECK_EQ(syscall(SYS_close, epfd), 0);
    CHECK_ERR(epoll_wait(epfd, ev, 4, 0), EBADF);
}
