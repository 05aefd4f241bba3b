// While a thread waits, a watched file lives on under a dup; its fd is closed
// and then stands for another file. The wait reports what becomes ready on the
// watched file, and nothing of the other file.
// Source: epoll(7), Q6. Contract: 12, 13
#include "harness.h"

enum { ROUNDS = 500 };
static int epfd;
static _Atomic int file, asked, seen;

static void *waiter(void *unused)
{
    struct epoll_event ev[4];
    (void)unused;
    while (seen < ROUNDS) {
        bool asks = seen % 2; // it asks all the time, or it sleeps
        int n = wait_events(epfd, ev, 4, asks ? 0 : WAIT_MS);
        CHECK(n > 0 || asks);
        for (int i = 0; i < n; i++) {
            CHECK_EVENT(ev[i], 7, EPOLLIN);
            CHECK_EQ(asked, seen + 1);
            CHECK_EQ(drain(file), 8);
            seen++;
        }
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread;
    int at = file = event_fd();
    epfd = ep_new();
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, file, EPOLLIN | EPOLLET, 7));
    CHECK_EQ(pthread_create(&thread, NULL, waiter, NULL), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        int other;
        file = OK(dup(at));
        OK(close(at));
        other = OK(eventfd(1, EFD_NONBLOCK));
        CHECK_EQ(other, at);
        asked = i;
        bump(file, 1);
        while (seen < i)
            sched_yield();
        OK(close(other));
        at = file;
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(file));
    OK(close(epfd));
}
