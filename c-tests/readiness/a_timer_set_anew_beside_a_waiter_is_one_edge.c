// A timer is set again and expires at once: this is one edge, though a waiting
// thread is told of it before timerfd_settime(2) has returned.
// Source: Linux: fs/timerfd.c:do_timerfd_settime. Contract: 18, 19
#include "harness.h"

static int epfd;
static _Atomic int told, stop;

static void *wait_on(void *unused)
{
    struct epoll_event ev;
    (void)unused;
    while (!stop)
        told += OK(epoll_wait(epfd, &ev, 1, WAIT_MS));
    return NULL;
}

static void test(void)
{
    enum { ROUNDS = 300 };
    struct itimerspec now = {.it_value.tv_nsec = 1};
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    pthread_t waiter;
    epfd = ep_new();
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLET));
    CHECK_EQ(pthread_create(&waiter, NULL, wait_on, NULL), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        OK(timerfd_settime(fd, 0, &now, NULL));
        UNTIL(told >= round);
        sleep_ms(1);
        CHECK_EQ(told, round);
    }
    stop = 1;
    OK(timerfd_settime(fd, 0, &now, NULL));
    CHECK_EQ(pthread_join(waiter, NULL), 0);
    OK(close(fd));
    OK(close(epfd));
}
