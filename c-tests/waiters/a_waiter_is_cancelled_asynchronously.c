// A thread with asynchronous cancellation waits again and again, and is
// cancelled wherever it is. Its cleanup handlers run, and the set works on.
// Source: pthread_setcanceltype(3). Contract: 26
#include "harness.h"

static int epfd;
static _Atomic int cleaned, rounds;

static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *waits(void *how)
{
    struct epoll_event ev[1];
    struct pollfd p = {epfd, POLLIN, 0};
    pthread_cleanup_push(cleanup, NULL);
    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL), 0);
    for (;; rounds++) {
        if (how)
            poll(&p, 1, rounds % 4 ? 0 : -1);
        else
            epoll_wait(epfd, ev, 1, rounds % 4 ? 0 : -1);
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void test(void)
{
    int s[2], type;
    unsigned seed = 1;
    epfd = ep_new();
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        void *result;
        CHECK_EQ(pthread_create(&thread, NULL, waits, i % 2 ? &epfd : NULL), 0);
        int turns = i % 4 < 2 ? rounds + 1 : 0;
        while (rounds < turns)
            put(s[1], "x"), drain(s[0]);
        for (volatile int n = rand_r(&seed) % 50000; n > 0; n--)
            ;
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED);
        CHECK_EQ(cleaned, i + 1);
    }
    // After each wait the cancellation type is the program's again.
    struct epoll_event ev[1];
    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL), 0);
    wait_events(epfd, ev, 1, 0);
    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type), 0);
    CHECK_EQ(type, PTHREAD_CANCEL_ASYNCHRONOUS);
    drain(s[0]);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    close_pair(s);
    OK(close(epfd));
}
