// Two sets watch one file. Each reports it, by its own mask, level and edge.
// MOD or DEL in one set does not change the other.
// Source: epoll(7), Q2. Contract: 30
#include "harness.h"

static void test(void)
{
    int a = ep_new(), b = ep_new(), s[2];
    struct waiter w[2];
    unix_stream(s);
    OK(ep_add(a, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(b, s[0], EPOLLIN));
    for (int i = 0; i < 3; i++) {
        put(s[1], "x");
        EXPECT_ONE(a, s[0], EPOLLIN);
        EXPECT_NOTHING_NOW(a);
        EXPECT_ONE(b, s[0], EPOLLIN);
        EXPECT_ONE(b, s[0], EPOLLIN);
    }
    CHECK_EQ(drain(s[0]), 3);
    waiter_block(&w[0], a);
    waiter_block(&w[1], b);
    put(s[1], "x");
    waiter_join_with(&w[0], s[0], EPOLLIN);
    waiter_join_with(&w[1], s[0], EPOLLIN);
    OK(ep_del(b, s[0]));
    put(s[1], "x");
    EXPECT_ONE(a, s[0], EPOLLIN);
    EXPECT_NOTHING_NOW(b);
    OK(ep_add(b, s[0], EPOLLIN | EPOLLONESHOT));
    EXPECT_ONE(b, s[0], EPOLLIN);
    put(s[1], "x");
    EXPECT_ONE(a, s[0], EPOLLIN);
    EXPECT_NOTHING(b);
    close_pair(s);
    OK(close(a));
    OK(close(b));
}
