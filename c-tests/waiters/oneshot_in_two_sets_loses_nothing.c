// One socket is a ONESHOT item of two sets. Each set has a thread that re-arms
// its own item. Each byte reaches one of them.
// Source: epoll(7), Q2. Contract: 30
#include "harness.h"

enum { BYTES = 5000 };
static int s[2];
static _Atomic int consumed;

static void *worker(void *arg)
{
    int epfd = *(int *)arg;
    struct epoll_event ev[1];
    while (consumed < BYTES) {
        if (wait_events(epfd, ev, 1, 100) == 0)
            continue;
        consumed += drain(s[0]);
        OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLONESHOT));
    }
    return NULL;
}

static void test(void)
{
    int set[2] = {ep_new(), ep_new()};
    pthread_t thread[2];
    unix_stream(s);
    for (int i = 0; i < 2; i++) {
        OK(ep_add(set[i], s[0], EPOLLIN | EPOLLONESHOT));
        CHECK_EQ(pthread_create(&thread[i], NULL, worker, &set[i]), 0);
    }
    for (int sent = 1; sent <= BYTES; sent++) {
        put(s[1], "x");
        int64_t end = now_ns() + WAIT_MS * 1000000LL;
        while (consumed < sent) {
            if (now_ns() > end)
                FAIL("byte %d was never reported", sent);
            sched_yield();
        }
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    close_pair(s);
    close_pair(set);
}
