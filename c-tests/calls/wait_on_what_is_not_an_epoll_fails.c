// An fd that is not open, or was opened with O_PATH, is EBADF. An open file of
// another kind is EINVAL. In all three calls.
// Source: epoll_wait(2). Contract: 5
#include "harness.h"

static void fails_with(int fd, int error)
{
    struct epoll_event ev[1];
    struct timespec zero = {0, 0};
    CHECK_ERR(epoll_wait(fd, ev, 1, 0), error);
    CHECK_ERR(epoll_wait(fd, ev, 1, -1), error);
    CHECK_ERR(epoll_pwait(fd, ev, 1, 0, NULL), error);
    CHECK_ERR(epoll_pwait2(fd, ev, 1, &zero, NULL), error);
}

static void test(void)
{
    int closed = ep_new(), path = OK(open("/", O_PATH)), p[2];
    int file = OK(open("/proc/self/exe", O_RDONLY)), e = event_fd();
    pipe_pair(p);
    OK(close(closed));
    fails_with(-1, EBADF);
    fails_with(INT_MAX, EBADF);
    fails_with(closed, EBADF);
    fails_with(path, EBADF);
    fails_with(file, EINVAL);
    fails_with(p[0], EINVAL);
    fails_with(e, EINVAL);
    close_pair(p);
    OK(close(e));
    OK(close(file));
    OK(close(path));
}
