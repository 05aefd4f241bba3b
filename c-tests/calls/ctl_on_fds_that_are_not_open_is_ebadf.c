// An fd that is not open, or was opened with O_PATH, is EBADF as epfd and as
// fd, for every op, before any check of what the files are.
// Source: Linux: fs/eventpoll.c:do_epoll_ctl. Contract: 3
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    int closed = OK(dup(e)), path = OK(open("/", O_PATH | O_CLOEXEC));
    int bad[] = {-1, closed, path, INT_MAX, INT_MIN, 1 << 20};
    int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0, 99};
    OK(close(closed));
    for (int op = 0; op < 5; op++)
        for (int i = 0; i < 6; i++) {
            CHECK_ERR(ep_ctl(epfd, ops[op], bad[i], EPOLLIN, 0), EBADF);
            CHECK_ERR(ep_ctl(bad[i], ops[op], e, EPOLLIN, 0), EBADF);
            CHECK_ERR(ep_ctl(bad[i], ops[op], bad[i], EPOLLIN, 0), EBADF);
            CHECK_ERR(ep_ctl(e, ops[op], bad[i], EPOLLIN, 0), EBADF);
        }
    OK(close(path));
    OK(close(e));
    OK(close(epfd));
}
