// A level-triggered item stays first in the ready list until a wait has found its file empty. So what comes for it before
// the next wait is reported before what came for others.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 18
// Limit: hot: hot items come in the order of the list that is asked, not in that of becoming ready
#include "harness/emptied.h"

static void expect_both(int first, int second)
{
    struct epoll_event ev[8];
    CHECK_EQ(wait_events(epfd, ev, 8, WAIT_MS), 2);
    CHECK_EVENT(ev[0], first, EPOLLIN);
    CHECK_EVENT(ev[1], second, EPOLLIN);
    drain(one[0]);
    drain(other[0]);
    EXPECT_NOTHING_NOW(epfd);
}

static void put_both(int first, int second)
{
    put(first, "x");
    put(second, "x");
    until_polls(one[0], POLLIN);
    until_polls(other[0], POLLIN);
}

static void order(void)
{
    for (int n = 0; n < 5; n++) {
        empty_one();
        put_both(other[1], one[1]);
        expect_both(one[0], other[0]);
        empty_one();
        put_both(one[1], other[1]);
        expect_both(one[0], other[0]);
        // A wait has found it empty: from now on it is like any other.
        empty_one();
        CHECK_EQ(wait_events(epfd, (struct epoll_event[8]){0}, 8, 5), 0);
        put_both(other[1], one[1]);
        expect_both(other[0], one[0]);
    }
}

static void on_signal(int signo)
{
    (void)signo;
    put_both(other[1], one[1]);
}

// The wakeups come while the thread sleeps, from its own handler.
static void order_in_a_handler(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct itimerval soon = {.it_value.tv_usec = 30000};
    OK(sigaction(SIGALRM, &action, NULL));
    for (int n = 0; n < 3; n++) {
        struct epoll_event ev[8];
        empty_one();
        OK(setitimer(ITIMER_REAL, &soon, NULL));
        int got = epoll_wait(epfd, ev, 8, WAIT_MS);
        if (got < 0) {
            CHECK_EQ(errno, EINTR);
            got = wait_events(epfd, ev, 8, WAIT_MS);
        }
        CHECK_EQ(got, 2);
        CHECK_EVENT(ev[0], other[0], EPOLLIN);
        CHECK_EVENT(ev[1], one[0], EPOLLIN);
        drain(one[0]);
        drain(other[0]);
        EXPECT_NOTHING_NOW(epfd);
    }
}

static void test(void)
{
    make_set();
    order();
    order_in_a_handler();
    close_pair(one);
    close_pair(other);
    OK(close(epfd));
}
