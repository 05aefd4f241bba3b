// A program may dup2 onto any fd up to its limit. Its sets work on, and so do
// waits that are blocked in them.
// Source: dup(2). Contract: 1, 12
#include "harness.h"

static void test(void)
{
    struct rlimit limit;
    int epfd = ep_new(), s[2], e = event_fd();
    struct waiter w;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    int top = limit.rlim_cur > 200000 ? 200000 : limit.rlim_cur;
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, e, EPOLLIN));
    waiter_block(&w, epfd);
    for (int fd = top - 1; fd >= top - 300 && fd > 500; fd--)
        CHECK_EQ(dup2(1, fd), fd);
    for (int fd = 1023; fd > 723; fd--)
        CHECK_EQ(dup2(1, fd), fd);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    EXPECT_NOTHING(epfd);
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    drain(e);
    // These fds now belong to the program: each is open and can be closed.
    for (int fd = top - 1; fd >= top - 300 && fd > 500; fd--)
        OK(close(fd));
    for (int fd = 1023; fd > 723 && fd < top - 300; fd--)
        OK(close(fd));
    waiter_block(&w, epfd);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    close_pair(s);
    OK(close(e));
    OK(close(epfd));
}
