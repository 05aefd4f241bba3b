// Eight threads, each in a blocking wait on its own set: each event reaches
// the thread of its set and no other.
// Source: epoll(7). Contract: 25
#include "harness.h"

enum { THREADS = 8 };

static void test(void)
{
    int epfd[THREADS], s[THREADS][2];
    struct waiter w[THREADS];
    for (int i = 0; i < THREADS; i++) {
        epfd[i] = ep_new();
        unix_stream(s[i]);
        OK(ep_add(epfd[i], s[i][0], EPOLLIN | (i % 2 ? EPOLLET : 0)));
    }
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < THREADS; i++)
            waiter_block(&w[i], epfd[i]);
        for (int i = THREADS - 1; i >= 0; i--) {
            CHECK_EQ(waiters_done(w, THREADS), THREADS - 1 - i);
            put(s[i][1], "x");
            waiter_join_with(&w[i], s[i][0], EPOLLIN);
            CHECK_EQ(drain(s[i][0]), 1);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        close_pair(s[i]);
        OK(close(epfd[i]));
    }
}
