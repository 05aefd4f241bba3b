// Two outer sets hold one inner set: an event wakes both. If a wait on the
// inner set takes the event, it is gone for both.
//
//   a -LT-+
//         +-> inner -ET-> socket
//   b -ET-+
//
// Source: Linux: fs/eventpoll.c:ep_poll_safewake. Contract: 34
#include "harness.h"

static void test(void)
{
    int a = ep_new(), b = ep_new(), inner = ep_new(), s[2];
    struct waiter w[2];
    unix_stream(s);
    OK(ep_add(inner, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(a, inner, EPOLLIN));
    OK(ep_add(b, inner, EPOLLIN | EPOLLET));
    put(s[1], "x");
    EXPECT_ONE(a, inner, EPOLLIN);
    EXPECT_ONE(a, inner, EPOLLIN);
    EXPECT_ONE(b, inner, EPOLLIN);
    EXPECT_NOTHING(b);
    EXPECT_ONE(inner, s[0], EPOLLIN);
    EXPECT_NOTHING(a);
    EXPECT_NOTHING_NOW(b);
    put(s[1], "x");
    EXPECT_ONE(inner, s[0], EPOLLIN); // taken before the waits on a and b
    EXPECT_NOTHING(a);
    EXPECT_NOTHING_NOW(b);
    waiter_block(&w[0], a);
    waiter_block(&w[1], b);
    put(s[1], "x");
    waiter_join_with(&w[0], inner, EPOLLIN);
    waiter_join_with(&w[1], inner, EPOLLIN);
    close_pair(s);
    OK(close(a));
    OK(close(b));
    OK(close(inner));
}
