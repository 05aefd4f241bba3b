// Two threads add a new file to two sets at the same moment. Both items watch
// this one file: they are reported, can be deleted, and go with its last close.
// Source: Linux: fs/eventpoll.c:ep_insert. Contract: 11, 30
#include "harness.h"

enum { ROUNDS = 1000 };
static int set[2], s[2];
static _Atomic int round_, added;

static void *adder(void *unused)
{
    (void)unused;
    for (int i = 1; i <= ROUNDS; i++) {
        while (round_ < i)
            ;
        OK(ep_ctl(set[1], EPOLL_CTL_ADD, s[0], EPOLLIN, i));
        added = i;
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread;
    for (int i = 0; i < 2; i++)
        set[i] = ep_new();
    CHECK_EQ(pthread_create(&thread, NULL, adder, NULL), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        unix_stream(s);
        round_ = i;
        OK(ep_ctl(set[0], EPOLL_CTL_ADD, s[0], EPOLLIN, i));
        while (added < i)
            sched_yield();
        put(s[1], "x");
        for (int n = 0; n < 2; n++) {
            EXPECT_ONE(set[n], i, EPOLLIN);
            if (i % 2)
                OK(ep_del(set[n], s[0]));
        }
        close_pair(s);
        for (int n = 0; n < 2; n++)
            EXPECT_NOTHING_NOW(set[n]);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 2; i++)
        OK(close(set[i]));
}
