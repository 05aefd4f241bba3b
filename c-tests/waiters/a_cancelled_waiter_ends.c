// pthread_cancel ends a thread blocked in epoll_wait, its cleanup handlers run,
// and the set works on. If the thread has disabled cancellation, its wait goes
// on.
// Source: pthreads(7), cancellation points. Contract: 26
#include "harness.h"

static _Atomic int cleaned;
static _Atomic pid_t tid;
static bool disabled;

static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *waits(void *arg)
{
    struct epoll_event ev[1];
    int n;
    if (disabled)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_push(cleanup, NULL);
    tid = gettid();
    n = epoll_wait(*(int *)arg, ev, 1, -1);
    pthread_cleanup_pop(0);
    return n == 1 ? arg : NULL;
}

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), s[2];
        pthread_t thread;
        void *result;
        struct waiter w;
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
        for (int i = 0; i < 5; i++) {
            cleaned = 0;
            disabled = i == 4;
            tid = 0;
            CHECK_EQ(pthread_create(&thread, NULL, waits, &epfd), 0);
            UNTIL(tid != 0);
            until_asleep(tid);
            CHECK_EQ(pthread_cancel(thread), 0);
            if (disabled) {
                sleep_ms(20);
                put(s[1], "x");
            }
            CHECK_EQ(pthread_join(thread, &result), 0);
            CHECK(result == (disabled ? &epfd : PTHREAD_CANCELED));
            CHECK_EQ(cleaned, !disabled);
            drain(s[0]);
            waiter_block(&w, epfd);
            put(s[1], "x");
            waiter_join_with(&w, s[0], EPOLLIN);
            drain(s[0]);
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(s);
        OK(close(epfd));
    }
}
