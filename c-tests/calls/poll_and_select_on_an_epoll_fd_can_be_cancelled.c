// poll, ppoll, select and pselect with an epoll fd among the files are
// cancellation points: before they sleep and while they do.
// Source: pthreads(7), cancellation points. Contract: 2
#include "harness.h"

static int epfd;
static _Atomic pid_t tid;
static _Atomic bool go;
static _Atomic int cleaned;

static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *waits(void *arg)
{
    struct pollfd p = {epfd, POLLIN, 0};
    struct timespec longest = {1000, 0};
    struct timeval long_time = {1000, 0};
    fd_set in;
    FD_ZERO(&in);
    FD_SET(epfd, &in);
    pthread_cleanup_push(cleanup, NULL);
    tid = gettid();
    while (!go)
        ;
    switch ((intptr_t)arg) {
    case 0: poll(&p, 1, -1); break;
    case 1: ppoll(&p, 1, &longest, NULL); break;
    case 2: select(epfd + 1, &in, NULL, NULL, &long_time); break;
    default: pselect(epfd + 1, &in, NULL, NULL, NULL, NULL);
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void test(void)
{
    int e = event_fd();
    epfd = ep_new();
    OK(ep_add(epfd, e, EPOLLIN));
    for (int i = 0; i < 16; i++) {
        pthread_t thread;
        void *result;
        tid = 0;
        go = i % 2;
        CHECK_EQ(pthread_create(&thread, NULL, waits, (void *)(intptr_t)(i / 4)), 0);
        UNTIL(tid != 0);
        if (i % 2)
            until_asleep(tid);
        CHECK_EQ(pthread_cancel(thread), 0);
        go = true;
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED);
        CHECK_EQ(cleaned, i + 1);
    }
    struct waiter w;
    waiter_block(&w, epfd);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));
    OK(close(epfd));
}
