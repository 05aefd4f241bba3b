// poll, ppoll, select and pselect6 made by their system call numbers report an
// epoll fd as the functions do, and wake when it becomes ready.
// Source: syscall(2). Contract: 2, 10
#include "harness.h"

static int epfd;
static _Atomic pid_t tid;

// aarch64 has neither poll nor select.
enum way {
#ifdef SYS_poll
    POLL,
#endif
    PPOLL,
#ifdef SYS_select
    SELECT,
#endif
    PSELECT,
    WAYS
};

static int call(enum way way, bool wait)
{
    struct pollfd p = {epfd, POLLIN | POLLOUT, 0};
    struct timespec zero = {0, 0}, *ts = wait ? NULL : &zero;
    bool by_set = false;
    fd_set in;
    long n = -1;
    FD_ZERO(&in);
    FD_SET(epfd, &in);
    switch (way) {
#ifdef SYS_poll
    case POLL:
        n = syscall(SYS_poll, &p, 1, wait ? -1 : 0);
        break;
#endif
    case PPOLL:
        n = syscall(SYS_ppoll, &p, 1, ts, NULL, 8);
        break;
#ifdef SYS_select
    case SELECT: {
        struct timeval none = {0, 0};
        by_set = true;
        n = syscall(SYS_select, epfd + 1, &in, NULL, NULL, wait ? NULL : &none);
        break;
    }
#endif
    case PSELECT:
        by_set = true;
        n = syscall(SYS_pselect6, epfd + 1, &in, NULL, NULL, ts, NULL);
        break;
    case WAYS:
        FAIL("no such way");
    }
    OK(n);
    if (by_set)
        CHECK_EQ(FD_ISSET(epfd, &in), n);
    else
        CHECK_EQ(p.revents, n == 1 ? POLLIN : 0);
    return n;
}

static void *waits(void *which)
{
    tid = gettid();
    CHECK_EQ(call((intptr_t)which, true), 1);
    return NULL;
}

static void test(void)
{
    int s[2];
    unix_stream(s);
    epfd = ep_new();
    OK(ep_add(epfd, s[0], EPOLLIN));
    for (intptr_t which = 0; which < WAYS; which++) {
        pthread_t thread;
        CHECK_EQ(call(which, false), 0);
        tid = 0;
        CHECK_EQ(pthread_create(&thread, NULL, waits, (void *)which), 0);
        UNTIL(tid != 0);
        until_asleep(tid);
        put(s[1], "x");
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(call(which, false), 1);
        CHECK_EQ(drain(s[0]), 1);
        CHECK_EQ(call(which, false), 0);
    }
    CHECK_ERR(syscall(SYS_pselect6, epfd + 1, NULL, NULL, (void *)8, NULL, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_ppoll, (void *)8, 1, NULL, NULL, 8), EFAULT);
    close_pair(s);
    OK(close(epfd));
}
