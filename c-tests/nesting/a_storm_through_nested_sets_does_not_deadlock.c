// Wakeups run outwards through three nested sets, while threads wait, call MOD
// and change links at every level. All threads end, and events still come.
//
//   outer -LT-> middle -ET-> inner -ET-> socket
//
// Source: Linux: fs/eventpoll.c:ep_poll_safewake, epnested_mutex. Contract: 35
#include "harness.h"

static int outer, middle, inner, s[2];
static _Atomic bool stop;

static void *writes(void *unused)
{
    (void)unused;
    while (!stop) {
        put(s[1], "x");
        drain(s[0]);
    }
    return NULL;
}

static void *waits(void *set)
{
    struct epoll_event ev[4];
    while (!stop)
        wait_events(*(int *)set, ev, 4, 1);
    return NULL;
}

static void *relinks(void *unused)
{
    (void)unused;
    while (!stop) {
        OK(ep_mod(inner, s[0], EPOLLIN | EPOLLET));
        CHECK_ERR(ep_add(inner, outer, EPOLLIN), ELOOP);
        OK(ep_del(middle, inner));
        OK(ep_add(middle, inner, EPOLLIN | EPOLLET));
        OK(ep_mod(outer, middle, EPOLLIN));
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread[5];
    outer = ep_new();
    middle = ep_new();
    inner = ep_new();
    unix_stream(s);
    OK(ep_add(inner, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(middle, inner, EPOLLIN | EPOLLET));
    OK(ep_add(outer, middle, EPOLLIN));
    CHECK_EQ(pthread_create(&thread[0], NULL, writes, NULL), 0);
    CHECK_EQ(pthread_create(&thread[1], NULL, waits, &inner), 0);
    CHECK_EQ(pthread_create(&thread[2], NULL, waits, &outer), 0);
    CHECK_EQ(pthread_create(&thread[3], NULL, waits, &middle), 0);
    CHECK_EQ(pthread_create(&thread[4], NULL, relinks, NULL), 0);
    sleep_ms(1000);
    stop = true;
    for (int i = 0; i < 5; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    drain(s[0]);
    EXPECT_NOTHING_NOW(outer);
    put(s[1], "x");
    EXPECT_ONE(outer, middle, EPOLLIN);
    EXPECT_ONE(middle, inner, EPOLLIN);
    EXPECT_ONE(inner, s[0], EPOLLIN);
    close_pair(s);
    OK(close(inner));
    OK(close(middle));
    OK(close(outer));
}
