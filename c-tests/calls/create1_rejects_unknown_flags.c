// EPOLL_CLOEXEC is the only flag that epoll_create1 accepts.
// Source: Linux: fs/eventpoll.c:do_epoll_create. Contract: 1
#include "harness.h"

static void test(void)
{
    CHECK_ERR(epoll_create1(-1), EINVAL);
    CHECK_ERR(epoll_create1(1), EINVAL);
    CHECK_ERR(epoll_create1(O_NONBLOCK), EINVAL);
    CHECK_ERR(epoll_create1(EPOLL_CLOEXEC | O_NONBLOCK), EINVAL);
    OK(close(OK(epoll_create1(0))));
    OK(close(OK(epoll_create1(EPOLL_CLOEXEC))));
}
