// If several things are wrong at once, the check that the kernel makes first
// decides: EFAULT, EBADF, EPERM, EINVAL, ELOOP, EEXIST or ENOENT.
// Source: Linux: fs/eventpoll.c:do_epoll_ctl. Contract: 3
#include "harness.h"

static void test(void)
{
    int a = ep_new(), b = ep_new(), e = event_fd();
    int file = OK(open("/proc/self/exe", O_RDONLY)), path = OK(open("/", O_PATH));
    const uint32_t X = EPOLLEXCLUSIVE | EPOLLIN;
    OK(ep_add(a, b, EPOLLIN));
    OK(ep_add(b, e, EPOLLIN));

    // EFAULT before EBADF, which comes before EPERM and EINVAL.
    CHECK_ERR(epoll_ctl(path, EPOLL_CTL_ADD, file, NULL), EFAULT);
    CHECK_ERR(ep_add(path, file, EPOLLIN), EBADF);
    CHECK_ERR(ep_add(e, path, EPOLLIN), EBADF);
    // EPERM before "not an epoll", the rules of EPOLLEXCLUSIVE and the unknown
    // op.
    CHECK_ERR(ep_add(e, file, X | EPOLLPRI), EPERM);
    CHECK_ERR(ep_mod(b, file, X), EPERM);
    CHECK_ERR(ep_ctl(b, 99, file, 0, 0), EPERM);
    // EINVAL for a set in itself before ELOOP; the rules of EPOLLEXCLUSIVE
    // before ELOOP, EEXIST and ENOENT.
    CHECK_ERR(ep_add(a, a, EPOLLIN), EINVAL);
    CHECK_ERR(ep_add(b, a, X), EINVAL);
    CHECK_ERR(ep_add(a, b, X), EINVAL);
    CHECK_ERR(ep_mod(b, a, X), EINVAL);
    CHECK_ERR(ep_add(b, e, X | EPOLLONESHOT), EINVAL);
    // b is in a: ADD of a to b is ELOOP, ADD of b to a is EEXIST.
    CHECK_ERR(ep_add(b, a, EPOLLIN), ELOOP);
    CHECK_ERR(ep_add(a, b, EPOLLIN), EEXIST);
    CHECK_ERR(ep_mod(b, a, EPOLLIN), ENOENT);
    CHECK_ERR(ep_del(b, a), ENOENT);
    // The kernel checks for an unknown op last, but before the item matters.
    CHECK_ERR(ep_ctl(b, 99, e, 0, 0), EINVAL);
    CHECK_ERR(ep_ctl(b, 99, a, 0, 0), EINVAL);

    OK(close(path));
    OK(close(file));
    OK(close(e));
    OK(close(b));
    OK(close(a));
}
