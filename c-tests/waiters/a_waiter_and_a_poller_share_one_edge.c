// One thread is in epoll_wait. Another polls the epoll fd and then waits with
// timeout 0. An edge is one event for both together.
// Source: Linux: fs/eventpoll.c:ep_poll_callback (pwake). Contract: 27
#include "harness.h"

static int epfd, got;
static _Atomic pid_t tid;

static void *poller(void *unused)
{
    struct pollfd p = {epfd, POLLIN, 0};
    struct epoll_event ev[4];
    (void)unused;
    tid = gettid();
    // The waiter may be faster: then poll sees nothing and times out.
    if (poll(&p, 1, 200) == 1)
        got = wait_events(epfd, ev, 4, 0);
    return NULL;
}

static void test(void)
{
    for (int round = 0; round < 5; round++) {
        int s[2];
        struct waiter w;
        pthread_t thread;
        unix_stream(s);
        epfd = ep_new();
        got = 0;
        tid = 0;
        OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
        waiter_start(&w, epfd);
        CHECK_EQ(pthread_create(&thread, NULL, poller, NULL), 0);
        UNTIL(tid != 0 && w.tid != 0);
        put(s[1], "x");
        CHECK_EQ(pthread_join(thread, NULL), 0);
        // One of the two has the event. If the poller has it, the next write
        // ends the waiter.
        if (got == 1) {
            CHECK(!w.done);
            put(s[1], "x");
        } else {
            CHECK_EQ(got, 0);
        }
        waiter_join_with(&w, s[0], EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
        close_pair(s);
        OK(close(epfd));
    }
}
