// Threads with asynchronous cancellation are cancelled at each point of their exit after a wait. Another thread then
// waits as before.
// Source: pthread_setcanceltype(3). Contract: 26
#include "harness.h"
#include <sched.h>

enum { ROUNDS = 5000, MOST_TURNS = 20000 };
static int epfd;
static _Atomic int waited;

static void *waits(void *unused)
{
    struct epoll_event ev[1];
    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL), 0);
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
    waited = 1;
    return unused;
}

static void test(void)
{
    struct waiter w;
    epfd = ep_new();
    int file = event_fd();
    OK(ep_add(epfd, file, EPOLLIN));
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        void *result;
        waited = 0;
        CHECK_EQ(pthread_create(&thread, NULL, waits, NULL), 0);
        for (int turn = 1; !waited; turn++)
            if (turn % 1000 == 0) // on a single CPU the other thread must get its turn
                sched_yield();
        for (volatile int turn = round * 7 % MOST_TURNS; turn > 0; turn--)
            ;
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED || result == NULL);
    }
    waiter_block(&w, epfd);
    bump(file, 1);
    waiter_join_with(&w, file, EPOLLIN);
    OK(close(file));
    OK(close(epfd));
}
