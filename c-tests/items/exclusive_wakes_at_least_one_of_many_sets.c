// Several sets watch one file with EPOLLEXCLUSIVE, with a waiter on each. A
// wakeup reaches at least one waiter, and each waiter that returns has the
// event.
// Source: epoll_ctl(2), EPOLLEXCLUSIVE. Contract: 16
#include "harness.h"

enum { SETS = 4 };

static void test(void)
{
    for (int kind = 0; kind < 2; kind++) {
        int set[SETS], fd[2];
        struct waiter w[SETS];
        if (kind == 0)
            pipe_pair(fd);
        else
            unix_stream(fd);
        for (int i = 0; i < SETS; i++) {
            set[i] = ep_new();
            OK(ep_add(set[i], fd[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLET));
            waiter_block(&w[i], set[i]);
        }
        // Writes until all waiters have returned. Each write must reach one of
        // the waiters that are left.
        for (int left = SETS; left > 0;) {
            put(fd[1], "x");
            UNTIL(SETS - waiters_done(w, SETS) < left);
            sleep_ms(10);
            left = SETS - waiters_done(w, SETS);
        }
        for (int i = 0; i < SETS; i++) {
            waiter_join_with(&w[i], fd[0], EPOLLIN);
            OK(close(set[i]));
        }
        close_pair(fd);
    }
}
