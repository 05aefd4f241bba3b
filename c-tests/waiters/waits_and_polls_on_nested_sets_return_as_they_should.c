// Up to two waiters and two pollers on an inner set and on an outer set, with level and edge on both: how many return
// after one write? A level wakes all of them. An edge wakes any number of pollers but only one waiter.
//
//   outer waiters, pollers ---> outer -LT or ET-+
//                                               +-> inner -LT or ET-> socket
//   inner waiters, pollers ---------------------+
//
// The test leaves out the cases that race in the kernel too: which of two threads takes an edge.
// Source: Linux: fs/eventpoll.c:ep_poll_callback, ep_done_scan; the kernel's
// selftest epoll_wakeup_test.c. Contract: 27, 32, 34
// Limit: poll: news of a file that is asked is missed by an outer edge while its item is on the inner ready list
#include "harness.h"

enum { PLACES = 4, MOST = 2 };
enum { OUTER_WAIT, OUTER_POLL, INNER_WAIT, INNER_POLL };

static int outer, inner;
static struct place_thread {
    pthread_t thread;
    int place;
    _Atomic pid_t tid;
    _Atomic bool done;
} threads[PLACES * MOST];

static void *stays(void *arg)
{
    struct place_thread *t = arg;
    struct epoll_event ev[4];
    int epfd = t->place < INNER_WAIT ? outer : inner;
    struct pollfd p = {epfd, POLLIN, 0};
    t->tid = gettid();
    if (t->place % 2 == OUTER_WAIT)
        CHECK_EQ(epoll_wait(epfd, ev, 4, -1), 1);
    else
        CHECK_EQ(poll(&p, 1, -1), 1);
    t->done = true;
    return NULL;
}

static void one(uint32_t inner_flag, uint32_t outer_flag, const int count[PLACES],
                const int expected[PLACES])
{
    int s[2], total = 0, came[PLACES] = {0}, want = 0;
    outer = ep_new();
    inner = ep_new();
    unix_stream(s);
    OK(ep_add(inner, s[0], EPOLLIN | inner_flag));
    OK(ep_add(outer, inner, EPOLLIN | outer_flag));
    memset(threads, 0, sizeof threads);
    for (int place = 0; place < PLACES; place++)
        for (int i = 0; i < count[place]; i++) {
            threads[total].place = place;
            CHECK_EQ(pthread_create(&threads[total].thread, NULL, stays,
                                    &threads[total]), 0);
            UNTIL(threads[total].tid != 0);
            until_asleep(threads[total].tid);
            total++;
        }
    put(s[1], "x");
    for (int place = 0; place < PLACES; place++)
        want += expected[place];
    int64_t end = now_ns() + WAIT_MS * 1000000LL;
    for (int done = 0; done < want && now_ns() < end; sleep_ms(1)) {
        done = 0;
        for (int i = 0; i < total; i++)
            done += threads[i].done;
    }
    sleep_ms(10); // if one thread too many is woken, it returns in this time
    for (int i = 0; i < total; i++)
        came[threads[i].place] += threads[i].done;
    for (int place = 0; place < PLACES; place++)
        if (came[place] != expected[place])
            FAIL("inner %s, outer %s, outer waiters %d, pollers %d, inner waiters %d, "
                 "pollers %d: %d of place %d returned, expected %d",
                 inner_flag ? "ET" : "LT", outer_flag ? "ET" : "LT", count[0],
                 count[1], count[2], count[3], came[place], place, expected[place]);
    // Each thread that is left gets an edge, and ever more time to take it.
    for (int i = 0; i < total; i++)
        for (int ms = 1; !threads[i].done; ms *= 2) {
            CHECK(ms < WAIT_MS);
            put(s[1], "x");
            for (int slept = 0; slept < ms && !threads[i].done; slept++)
                sleep_ms(1);
        }
    for (int i = 0; i < total; i++)
        CHECK_EQ(pthread_join(threads[i].thread, NULL), 0);
    close_pair(s);
    OK(close(inner));
    OK(close(outer));
}

static void test(void)
{
    for (int mix = 1; mix < 81; mix++) {
        int count[PLACES] = {mix % 3, mix / 3 % 3, mix / 9 % 3, mix / 27};
        if (count[0] + count[1] + count[2] + count[3] > 4)
            continue;
        for (int flags = 0; flags < 4; flags++) {
            bool inner_edge = flags & 1, outer_edge = flags & 2;
            int expected[PLACES];
            memcpy(expected, count, sizeof expected);
            // A waiter that takes the inner edge takes it from all other threads.
            if (inner_edge && count[INNER_WAIT] > 0 &&
                count[OUTER_WAIT] + count[OUTER_POLL] + count[INNER_POLL] > 0)
                continue;
            // A waiter that takes the outer edge takes it from the outer pollers.
            if (outer_edge && count[OUTER_WAIT] > 0 && count[OUTER_POLL] > 0)
                continue;
            if (inner_edge && count[INNER_WAIT] > 0)
                expected[INNER_WAIT] = 1;
            if (outer_edge && count[OUTER_WAIT] > 0)
                expected[OUTER_WAIT] = 1;
            one(inner_edge ? EPOLLET : 0, outer_edge ? EPOLLET : 0, count, expected);
        }
    }
}
