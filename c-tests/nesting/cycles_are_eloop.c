// A set must not contain itself: EINVAL directly, ELOOP through other sets.
// After one link is removed, the addition is allowed.
// Source: epoll_ctl(2), ELOOP; Linux: fs/eventpoll.c:ep_loop_check.
// Contract: 31
#include "harness.h"

static void test(void)
{
    int a = ep_new(), b = ep_new(), c = ep_new();
    CHECK_ERR(ep_add(a, a, EPOLLIN), EINVAL);
    OK(ep_add(a, b, EPOLLIN));
    CHECK_ERR(ep_add(b, a, EPOLLIN), ELOOP);
    CHECK_ERR(ep_add(a, b, EPOLLIN), EEXIST);
    OK(ep_add(b, c, EPOLLIN));
    CHECK_ERR(ep_add(c, a, EPOLLIN), ELOOP);
    CHECK_ERR(ep_add(c, b, EPOLLIN), ELOOP);
    OK(ep_add(a, c, EPOLLIN)); // two ways to c are no cycle
    CHECK_ERR(ep_mod(c, a, EPOLLIN), ENOENT);
    OK(ep_del(a, b));
    OK(ep_del(a, c));
    OK(ep_add(c, a, EPOLLIN));
    CHECK_ERR(ep_add(a, b, EPOLLIN), ELOOP);
    OK(close(b)); // removes the link b -> c too
    b = ep_new();
    OK(ep_add(a, b, EPOLLIN));
    OK(close(a));
    OK(close(b));
    OK(close(c));
}
