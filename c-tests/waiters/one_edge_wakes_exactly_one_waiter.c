// One write, edge-triggered, and two waiters: one returns, the other sleeps on
// until the next write. A socket, a pipe and an eventfd.
// Source: epoll(7), Q2; Linux: fs/eventpoll.c:ep_poll. Contract: 25
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], p[2], e = event_fd();
    unix_stream(s);
    pipe_pair(p);
    int in[] = {s[0], p[0], e}, out[] = {s[1], p[1], e};
    for (int i = 0; i < 3; i++) {
        struct waiter w[2];
        OK(ep_add(epfd, in[i], EPOLLIN | EPOLLET));
        waiter_block(&w[0], epfd);
        waiter_block(&w[1], epfd);
        bump(out[i], 1);
        UNTIL(waiters_done(w, 2) >= 1);
        sleep_ms(QUIET_MS);
        CHECK_EQ(waiters_done(w, 2), 1);
        bump(out[i], 1);
        waiter_join_with(&w[0], in[i], EPOLLIN);
        waiter_join_with(&w[1], in[i], EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    close_pair(s);
    close_pair(p);
    OK(close(e));
    OK(close(epfd));
}
