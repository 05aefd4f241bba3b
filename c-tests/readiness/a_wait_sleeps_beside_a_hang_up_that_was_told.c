// An edge-triggered file that has hung up, or has an error, is reported once. After that a wait sleeps, and uses no CPU
// time.
// Source: epoll(7), edge-triggered. Contract: 15, 24
#include "harness.h"

enum { SLEEP_MS = 300 };

static void sleeps(int epfd)
{
    struct epoll_event ev[1];
    struct rusage before, after;
    OK(getrusage(RUSAGE_SELF, &before));
    CHECK_EQ(epoll_wait(epfd, ev, 1, SLEEP_MS), 0);
    OK(getrusage(RUSAGE_SELF, &after));
    long took = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000 +
                (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1000;
    if (took > SLEEP_MS / 3)
        FAIL("%ld ms of CPU time in %d ms of sleep", took, SLEEP_MS);
}

static void test(void)
{
    int epfd = ep_new(), s[2], in[2], out[2];
    unix_stream(s);
    pipe_pair(in);
    pipe_pair(out);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
    EXPECT_ONE(epfd, s[0], EPOLLOUT);
    OK(close(s[1]));
    EXPECT_ONE(epfd, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    sleeps(epfd);
    OK(ep_add(epfd, in[0], EPOLLIN | EPOLLET));
    put(in[1], "x");
    OK(close(in[1]));
    EXPECT_ONE(epfd, in[0], EPOLLIN | EPOLLHUP);
    sleeps(epfd);
    CHECK_EQ(drain(in[0]), 1);
    sleeps(epfd);
    OK(ep_add(epfd, out[1], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, out[1], EPOLLOUT);
    OK(close(out[0]));
    EXPECT_ONE(epfd, out[1], EPOLLOUT | EPOLLERR);
    sleeps(epfd);
    OK(close(s[0]));
    OK(close(in[0]));
    OK(close(out[1]));
    OK(close(epfd));
}
