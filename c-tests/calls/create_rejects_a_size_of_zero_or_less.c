// epoll_create requires a size above zero, and otherwise ignores it.
// Source: epoll_create(2). Contract: 1
#include "harness.h"

static void test(void)
{
    CHECK_ERR(epoll_create(0), EINVAL);
    CHECK_ERR(epoll_create(-1), EINVAL);
    CHECK_ERR(epoll_create(INT_MIN), EINVAL);
    OK(close(OK(epoll_create(1))));
    OK(close(OK(epoll_create(INT_MAX))));
}
