// A wait with any negative timeout, a NULL timespec or a very long timeout
// lasts until something happens.
// Source: epoll_wait(2). Contract: 6
#include "harness.h"

static _Atomic pid_t tid;
static _Atomic bool returned;
static int epfd, how;

static void *waits(void *unused)
{
    int timeouts[] = {-1, -1000, INT_MIN, INT_MAX};
    struct timespec longest = {LONG_MAX, 999999999}, year = {365 * 86400, 0};
    struct timespec *ts[] = {NULL, &longest, &year};
    struct epoll_event ev[1];
    (void)unused;
    tid = gettid();
    CHECK_EQ(how < 4 ? epoll_wait(epfd, ev, 1, timeouts[how])
                     : epoll_pwait2(epfd, ev, 1, ts[how - 4], NULL), 1);
    returned = true;
    return NULL;
}

static void test(void)
{
    int e = event_fd();
    epfd = ep_new();
    OK(ep_add(epfd, e, EPOLLIN));
    for (how = 0; how < 7; how++) {
        pthread_t thread;
        tid = 0;
        returned = false;
        CHECK_EQ(pthread_create(&thread, NULL, waits, NULL), 0);
        UNTIL(tid != 0);
        until_asleep(tid);
        sleep_ms(QUIET_MS);
        CHECK(!returned);
        bump(e, 1);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        drain(e);
    }
    OK(close(e));
    OK(close(epfd));
}
