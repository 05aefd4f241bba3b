// Two workers wait on a ONESHOT item, read, and re-arm it with MOD while new
// data keeps coming: 20,000 bytes, each acknowledged before the next is sent,
// so one lost re-arm would stop everything.
// Source: epoll(7), EPOLLONESHOT; Linux: fs/eventpoll.c:ep_modify.
// Contract: 29
#include "harness.h"

enum { BYTES = 20000 };
static int epfd, s[2];
static _Atomic int consumed;

static void *worker(void *unused)
{
    struct epoll_event ev[1];
    (void)unused;
    while (consumed < BYTES) {
        if (wait_events(epfd, ev, 1, 100) == 0)
            continue;
        CHECK_EVENT(ev[0], s[0], EPOLLIN);
        consumed += drain(s[0]);
        OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLET | EPOLLONESHOT));
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread[2];
    epfd = ep_new();
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET | EPOLLONESHOT));
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, worker, NULL), 0);
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
    CHECK_EQ(consumed, BYTES);
    close_pair(s);
    OK(close(epfd));
}
