// A nested set is a file like any other: its last close removes it from the
// outer set, with its pending event. DEL and a dup work as for any file.
// Source: epoll(7), Q6. Contract: 12, 31
#include "harness.h"

static void test(void)
{
    int outer = ep_new(), inner = ep_new(), e = event_fd();
    OK(ep_add(inner, e, EPOLLOUT));
    OK(ep_add(outer, inner, EPOLLIN));
    EXPECT_ONE(outer, inner, EPOLLIN);
    int twin = OK(dup(inner)), was = inner;
    OK(close(inner));
    EXPECT_ONE(outer, was, EPOLLIN);
    CHECK_ERR(ep_del(outer, twin), ENOENT);
    OK(close(twin));
    EXPECT_NOTHING(outer);

    inner = ep_new();
    OK(ep_add(inner, e, EPOLLOUT));
    OK(ep_add(outer, inner, EPOLLIN));
    EXPECT_ONE(outer, inner, EPOLLIN);
    OK(close(e));
    EXPECT_NOTHING(outer);
    OK(ep_del(outer, inner));
    CHECK_ERR(ep_del(outer, inner), ENOENT);
    OK(close(inner));
    OK(close(outer));
}
