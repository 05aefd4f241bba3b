// A program may dup2 onto any number up to its limit; the sets it has go on,
// and so do their blocked waits.
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
    for (int number = top - 1; number >= top - 300 && number > 500; number--)
        CHECK_EQ(dup2(1, number), number);
    for (int number = 1023; number > 723; number--)
        CHECK_EQ(dup2(1, number), number);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    EXPECT_NOTHING(epfd);
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    drain(e);
    // They are the program's now: each is open and can be closed.
    for (int number = top - 1; number >= top - 300 && number > 500; number--)
        OK(close(number));
    for (int number = 1023; number > 723 && number < top - 300; number--)
        OK(close(number));
    waiter_block(&w, epfd);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    close_pair(s);
    OK(close(e));
    OK(close(epfd));
}
