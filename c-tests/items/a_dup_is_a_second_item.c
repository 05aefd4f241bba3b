// One file under two fds is two items, each with its own mask and data. Both
// report one event on the file.
// Source: epoll(7), Q1. Contract: 11
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    struct epoll_event ev[4];
    unix_stream(s);
    int twin = OK(dup(s[0]));
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, twin, EPOLLIN | EPOLLOUT | EPOLLET));
    CHECK_ERR(ep_add(epfd, s[0], EPOLLIN), EEXIST);
    CHECK_ERR(ep_add(epfd, twin, EPOLLIN), EEXIST);
    EXPECT_ONE(epfd, twin, EPOLLOUT);
    put(s[1], "x");
    CHECK_EQ(epoll_wait(epfd, ev, 4, 0), 2);
    bool first_is_twin = ev[0].data.u64 == (uint64_t)twin;
    CHECK_EVENT(ev[first_is_twin], s[0], EPOLLIN);
    CHECK_EVENT(ev[!first_is_twin], twin, EPOLLIN | EPOLLOUT);
    EXPECT_NOTHING(epfd);
    OK(ep_del(epfd, s[0]));
    put(s[1], "x");
    EXPECT_ONE(epfd, twin, EPOLLIN | EPOLLOUT);
    OK(close(s[0]));
    put(s[1], "x");
    EXPECT_ONE(epfd, twin, EPOLLIN | EPOLLOUT);
    OK(close(twin));
    OK(close(s[1]));
    OK(close(epfd));
}
