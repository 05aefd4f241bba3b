// The outer item is edge-triggered: it is reported once for each wakeup of the inner set, though the inner set stays
// ready.
//
//   outer -ET-> inner -ET or LT-> socket
//
// Source: Linux: fs/eventpoll.c:ep_poll_safewake. Contract: 32
// Limit: poll: news of a file that is asked is missed by an outer edge while its item is on the inner ready list
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int outer = ep_new(), inner = ep_new(), s[2];
        unix_stream(s);
        OK(ep_add(inner, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
        OK(ep_add(outer, inner, EPOLLIN | EPOLLET));
        EXPECT_NOTHING_NOW(outer);
        for (int i = 0; i < 3; i++) {
            put(s[1], "x");
            EXPECT_ONE(outer, inner, EPOLLIN);
            EXPECT_NOTHING(outer);
        }
        EXPECT_ONE(inner, s[0], EPOLLIN);
        drain(s[0]);
        EXPECT_NOTHING(outer);
        put(s[1], "x");
        EXPECT_ONE(outer, inner, EPOLLIN);
        close_pair(s);
        OK(close(inner));
        OK(close(outer));
    }
}
