// Epoll sets nest five deep around a file. One more is ELOOP, whether it is
// added outside or inside. Readiness passes through all five.
// Source: Linux: fs/eventpoll.c:EP_MAX_NESTS. Contract: 31
#include "harness.h"

enum { DEPTH = 5 };

static void test(void)
{
    int set[DEPTH + 1], e = event_fd();
    for (int i = 0; i <= DEPTH; i++)
        set[i] = ep_new();
    OK(ep_add(set[0], e, EPOLLIN));
    for (int i = 1; i < DEPTH; i++)
        OK(ep_add(set[i], set[i - 1], EPOLLIN));
    CHECK_ERR(ep_add(set[DEPTH], set[DEPTH - 1], EPOLLIN), ELOOP);
    EXPECT_NOTHING_NOW(set[DEPTH - 1]);
    bump(e, 1);
    for (int i = DEPTH - 1; i > 0; i--)
        EXPECT_ONE(set[i], set[i - 1], EPOLLIN);
    EXPECT_ONE(set[0], e, EPOLLIN);
    // Inwards: five sets nest already, so a set in the innermost is the sixth.
    OK(ep_add(set[DEPTH], e, EPOLLIN));
    CHECK_ERR(ep_add(set[0], set[DEPTH], EPOLLIN), ELOOP);
    OK(ep_del(set[DEPTH - 1], set[DEPTH - 2]));
    OK(ep_add(set[0], set[DEPTH], EPOLLIN));
    CHECK_ERR(ep_add(set[DEPTH - 1], set[DEPTH - 2], EPOLLIN), ELOOP);
    for (int i = 0; i <= DEPTH; i++)
        OK(close(set[i]));
    OK(close(e));
}
