// Threads open files, add them to a shared set, write, and close them, over and
// over, so the fds are reused all the time. A thread that waits on the set sees
// only items that were added. Each thread's own set reports only the thread's
// own items.
// Source: epoll(7), Q6. Contract: 12, 13
#include "harness.h"

enum { THREADS = 3, ROUNDS = 1500 };
static int shared;
static _Atomic uint64_t added; // the last item id given to a file
static _Atomic bool stop;

static void *churn(void *unused)
{
    int own = ep_new();
    uint64_t previous = 0;
    struct epoll_event ev[1];
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        int fd[2];
        uint64_t id = ++added;
        if (i % 2)
            unix_stream(fd);
        else
            pipe_pair(fd);
        OK(ep_ctl(shared, EPOLL_CTL_ADD, fd[0], EPOLLIN | EPOLLET, id));
        OK(ep_ctl(own, EPOLL_CTL_ADD, fd[0], EPOLLIN, id));
        put(fd[1], "x");
        // The watcher may be polling the last file at this moment, and so hold
        // it open a little longer than its close. The kernel allows this one
        // extra event.
        do {
            CHECK_EQ(wait_events(own, ev, 1, WAIT_MS), 1);
            CHECK(ev[0].data.u64 == id || ev[0].data.u64 == previous);
        } while (ev[0].data.u64 != id);
        CHECK_EQ(ev[0].events, EPOLLIN);
        previous = id;
        if (i % 3 == 0)
            OK(ep_del(shared, fd[0]));
        drain(fd[0]);
        OK(close(fd[0]));
        OK(close(fd[1]));
    }
    OK(close(own));
    return NULL;
}

static void *watch(void *unused)
{
    struct epoll_event ev[8];
    (void)unused;
    while (!stop) {
        int n = wait_events(shared, ev, 8, 5);
        for (int i = 0; i < n; i++)
            CHECK(ev[i].data.u64 >= 1 && ev[i].data.u64 <= added);
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread[THREADS], watcher;
    shared = ep_new();
    CHECK_EQ(pthread_create(&watcher, NULL, watch, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, churn, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    stop = true;
    CHECK_EQ(pthread_join(watcher, NULL), 0);
    EXPECT_NOTHING_NOW(shared);
    OK(close(shared));
}
