// One thread waits on the inner set, another polls or waits on the outer set. A
// level-triggered event wakes both.
//
//   thread 1: outer -LT-+
//                       +-> inner -LT-> socket
//   thread 2: ----------+
//
// Source: Linux: fs/eventpoll.c:ep_poll_callback (pwake). Contract: 34
#include "harness.h"

static void test(void)
{
    int outer = ep_new(), inner = ep_new(), s[2];
    struct waiter w[2];
    unix_stream(s);
    OK(ep_add(inner, s[0], EPOLLIN));
    OK(ep_add(outer, inner, EPOLLIN));
    for (int i = 0; i < 5; i++) {
        waiter_block(&w[0], outer);
        waiter_block(&w[1], inner);
        put(s[1], "x");
        waiter_join_with(&w[0], inner, EPOLLIN);
        waiter_join_with(&w[1], s[0], EPOLLIN);
        drain(s[0]);
        EXPECT_NOTHING_NOW(outer);
    }
    close_pair(s);
    OK(close(inner));
    OK(close(outer));
}
