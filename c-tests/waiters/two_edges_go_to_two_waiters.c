// There are edges on two files, and two waiters. Each waiter returns, and
// together they get each event once.
// Source: Linux: fs/eventpoll.c:ep_poll. Contract: 25
#include "harness.h"

static void test(void)
{
    for (int round = 0; round < 20; round++) {
        int epfd = ep_new(), a[2], b[2];
        struct waiter w[2];
        unix_stream(a);
        unix_stream(b);
        OK(ep_add(epfd, a[0], EPOLLIN | EPOLLET));
        OK(ep_add(epfd, b[0], EPOLLIN | EPOLLET));
        waiter_block(&w[0], epfd);
        waiter_block(&w[1], epfd);
        put(a[1], "x");
        UNTIL(waiters_done(w, 2) == 1);
        put(b[1], "x");
        waiter_join(&w[0]);
        waiter_join(&w[1]);
        CHECK_EQ(w[0].n, 1);
        CHECK_EQ(w[1].n, 1);
        CHECK_EQ(w[0].ev[0].data.u64 + w[1].ev[0].data.u64, a[0] + b[0]);
        CHECK(w[0].ev[0].data.u64 != w[1].ev[0].data.u64);
        EXPECT_NOTHING_NOW(epfd);
        close_pair(a);
        close_pair(b);
        OK(close(epfd));
    }
}
