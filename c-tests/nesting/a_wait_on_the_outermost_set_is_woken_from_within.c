// A thread waits on the outermost of four sets. The file in the innermost set
// wakes it; so does an ADD or a MOD in that set.
// Source: Linux: fs/eventpoll.c:ep_poll_safewake. Contract: 31, 34
#include "harness.h"

static void test(void)
{
    int set[4], s[2], e = event_fd();
    struct waiter w;
    unix_stream(s);
    for (int i = 0; i < 4; i++) {
        set[i] = ep_new();
        if (i > 0)
            OK(ep_add(set[i], set[i - 1], EPOLLIN));
    }
    OK(ep_add(set[0], s[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 3; i++) {
        waiter_block(&w, set[3]);
        put(s[1], "x");
        waiter_join_with(&w, set[2], EPOLLIN);
        EXPECT_ONE(set[0], s[0], EPOLLIN);
        EXPECT_NOTHING_NOW(set[3]);
    }
    waiter_block(&w, set[3]);
    OK(ep_add(set[0], e, EPOLLOUT | EPOLLET));
    waiter_join_with(&w, set[2], EPOLLIN);
    EXPECT_ONE(set[0], e, EPOLLOUT);
    waiter_block(&w, set[3]);
    OK(ep_mod(set[0], e, EPOLLOUT));
    waiter_join_with(&w, set[2], EPOLLIN);
    for (int i = 0; i < 4; i++)
        OK(close(set[i]));
    close_pair(s);
    OK(close(e));
}
