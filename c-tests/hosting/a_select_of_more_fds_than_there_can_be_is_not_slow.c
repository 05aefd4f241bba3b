// select(2) takes any number of fds, and looks only at those that a process can
// have: old programs pass getdtablesize(), which may be a thousand millions.
// Source: select(2); Linux: fs/select.c:core_sys_select. Contract: 2
#include "harness.h"

static int quiet[2];

static double cpu_seconds(void)
{
    struct timespec now;
    OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void sleep_in_select(void)
{
    struct timespec same = {0, 20000000};
    struct timeval nap = {0, 20000};
    double begin = cpu_seconds();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(quiet[0], &set);
    CHECK_EQ(select(INT_MAX, &set, NULL, NULL, &nap), 0);
    FD_SET(quiet[0], &set);
    CHECK_EQ(pselect(INT_MAX, &set, NULL, NULL, &same, NULL), 0);
    nap = (struct timeval){0, 20000};
    CHECK_EQ(select(INT_MAX, NULL, NULL, NULL, &nap), 0);
    CHECK(cpu_seconds() - begin < 0.5);
}

static void test(void)
{
    struct epoll_event event;
    int epfd = ep_new();
    OK(pipe(quiet));
    // The thread is one that serves a set.
    CHECK_EQ(epoll_wait(epfd, &event, 1, 0), 0);
    sleep_in_select();
    OK(close(epfd));
    sleep_in_select();
    close_pair(quiet);
}
