// One thread switches an item's mask off and on with MOD while another writes.
// Data written at any moment is reported once the mask is on. 100,000 rounds.
// Source: Linux: fs/eventpoll.c:ep_modify (smp_mb). Contract: 29
#include "harness.h"

enum { ROUNDS = 100000 };
static int s[2];
static _Atomic int asked, done;

static void *writer(void *unused)
{
    (void)unused;
    while (done < ROUNDS) {
        if (asked > done) {
            put(s[1], "x");
            done++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void test(void)
{
    int epfd = ep_new();
    pthread_t thread;
    unix_stream(s);
    OK(ep_add(epfd, s[0], 0));
    CHECK_EQ(pthread_create(&thread, NULL, writer, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        OK(ep_mod(epfd, s[0], EPOLLET));
        asked++;
        OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLET));
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(drain(s[0]), 1);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_pair(s);
    OK(close(epfd));
}
