// EBADF comes before EINVAL, and before EFAULT for the buffer. The order of the
// two reasons for EINVAL cannot be seen. Kernels before 6.15 check maxevents
// first.
// Source: Linux: fs/eventpoll.c:do_epoll_wait. Contract: 5
#include "harness.h"
#include <sys/utsname.h>

static void test(void)
{
    struct epoll_event ev[1], *kernel = (void *)0xffff800000000000;
    struct utsname name;
    int major, minor, p[2];
    OK(uname(&name));
    CHECK_EQ(sscanf(name.release, "%d.%d", &major, &minor), 2);
    if (major * 1000 + minor < 6015)
        SKIP("kernel %s checks in another order", name.release);
    CHECK_ERR(epoll_wait(-1, ev, 0, 0), EBADF);
    CHECK_ERR(epoll_wait(-1, kernel, 1, 0), EBADF);
    pipe_pair(p);
    CHECK_ERR(epoll_wait(p[0], kernel, 1, 0), EFAULT); // before "not an epoll"
    CHECK_ERR(epoll_wait(p[0], ev, 0, 0), EINVAL);
    close_pair(p);
    CHECK_ERR(epoll_wait(p[0], ev, 0, 0), EBADF);
}
