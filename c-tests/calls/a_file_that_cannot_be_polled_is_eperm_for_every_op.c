// The kernel checks whether a file can be polled before it checks the
// operation. The same holds for a duplicated fd.
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), file = OK(memfd_create("plain", MFD_CLOEXEC));
    int dup1 = OK(dup(file)), dup2 = OK(dup(dup1));
    const int fds[] = {file, dup1, dup2};
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(ep_ctl(epfd, EPOLL_CTL_ADD, fds[i], EPOLLIN, 1), EPERM);
        CHECK_ERR(ep_ctl(epfd, EPOLL_CTL_MOD, fds[i], EPOLLIN, 1), EPERM);
        CHECK_ERR(ep_ctl(epfd, EPOLL_CTL_DEL, fds[i], EPOLLIN, 1), EPERM);
        CHECK_ERR(ep_ctl(epfd, 77, fds[i], EPOLLIN, 1), EPERM);
        OK(close(fds[i]));
    }
    OK(close(epfd));
}
