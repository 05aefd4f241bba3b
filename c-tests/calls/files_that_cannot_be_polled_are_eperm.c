// Regular files, directories, /dev/null, /dev/zero and memfds have no poll
// method: EPERM for every op, before EINVAL about epfd.
// Source: epoll_ctl(2), EPERM. Contract: 3
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    int fd[] = {OK(open("/proc/self/exe", O_RDONLY)), OK(open("/", O_RDONLY)),
                OK(open("/dev/null", O_RDWR)), OK(open("/dev/zero", O_RDWR)),
                OK(memfd_create("m", 0))};
    int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0, 99};
    for (int i = 0; i < 5; i++) {
        for (int op = 0; op < 5; op++) {
            CHECK_ERR(ep_ctl(epfd, ops[op], fd[i], EPOLLIN, 0), EPERM);
            CHECK_ERR(ep_ctl(e, ops[op], fd[i], EPOLLIN, 0), EPERM);
            CHECK_ERR(ep_ctl(fd[i], ops[op], fd[i], EPOLLIN, 0), EPERM);
        }
        OK(close(fd[i]));
    }
    EXPECT_NOTHING_NOW(epfd);
    OK(close(e));
    OK(close(epfd));
}
