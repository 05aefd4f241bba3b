// While a wait sleeps, two connections get data one after the other. The one that was delivered and emptied last comes
// second if its data came second.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 18
// Limit: poll: files that are asked come in the order of looking, not in that of becoming ready
// Limit: hot: hot items come in the order of the list that is asked, not in that of becoming ready
#include "harness.h"

static int one[2], other[2];
static atomic_bool asleep;

static void *writes(void *arg)
{
    (void)arg;
    for (int n = 0; n < 300; n++) {
        while (!atomic_exchange(&asleep, false))
            usleep(50);
        usleep(500);
        put(other[1], "a");
        put(one[1], "b");
    }
    return NULL;
}

static void test(void)
{
    int epfd = ep_new(), turned = 0;
    pthread_t thread;
    struct epoll_event ev[2];
    char buf[64];
    tcp_pair(one);
    tcp_pair(other);
    OK(ep_add(epfd, one[0], EPOLLIN));
    OK(ep_add(epfd, other[0], EPOLLIN));
    CHECK_EQ(pthread_create(&thread, NULL, writes, NULL), 0);
    for (int n = 0; n < 300; n++) {
        if (n) {
            // `one` is delivered alone, and emptied.
            put(one[1], "c");
            EXPECT_ONE(epfd, one[0], EPOLLIN);
            CHECK_EQ(read(one[0], buf, sizeof buf), 1);
        }
        atomic_store(&asleep, true);
        int got = epoll_wait(epfd, ev, 2, WAIT_MS);
        turned += got > 0 && ev[0].data.u64 == (uint64_t)one[0];
        until_polls(one[0], POLLIN);
        until_polls(other[0], POLLIN);
        CHECK_EQ(read(one[0], buf, sizeof buf), 1);
        CHECK_EQ(read(other[0], buf, sizeof buf), 1);
        EXPECT_NOTHING_NOW(epfd);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(turned, 0);
    close_pair(one);
    close_pair(other);
    OK(close(epfd));
}
