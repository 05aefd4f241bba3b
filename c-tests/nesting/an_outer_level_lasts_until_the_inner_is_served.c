// The outer item is level-triggered: it is reported until the inner set has
// nothing to report. The inner edge is taken by a wait, or the inner level is
// drained.
//
//   outer -LT-> inner -ET or LT-> socket
//
// Source: Linux: fs/eventpoll.c:__ep_eventpoll_poll. Contract: 32
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int outer = ep_new(), inner = ep_new(), s[2];
        unix_stream(s);
        OK(ep_add(inner, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
        OK(ep_add(outer, inner, EPOLLIN));
        EXPECT_NOTHING_NOW(outer);
        put(s[1], "x");
        for (int i = 0; i < 3; i++)
            EXPECT_ONE(outer, inner, EPOLLIN);
        EXPECT_ONE(inner, s[0], EPOLLIN);
        if (edge)
            EXPECT_NOTHING(outer);
        else
            EXPECT_ONE(outer, inner, EPOLLIN);
        drain(s[0]);
        EXPECT_NOTHING(outer);
        EXPECT_NOTHING_NOW(inner);
        close_pair(s);
        OK(close(inner));
        OK(close(outer));
    }
}
