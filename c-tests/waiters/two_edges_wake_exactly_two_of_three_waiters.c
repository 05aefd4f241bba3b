// There are three waiters, and two edges one after the other: two waiters
// return, the third sleeps on.
// Source: Linux: fs/eventpoll.c:ep_poll. Contract: 25
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    struct waiter w[3];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 3; i++)
        waiter_block(&w[i], epfd);
    put(s[1], "x");
    UNTIL(waiters_done(w, 3) == 1);
    put(s[1], "x");
    UNTIL(waiters_done(w, 3) >= 2);
    sleep_ms(QUIET_MS);
    CHECK_EQ(waiters_done(w, 3), 2);
    put(s[1], "x");
    for (int i = 0; i < 3; i++)
        waiter_join_with(&w[i], s[0], EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    close_pair(s);
    OK(close(epfd));
}
