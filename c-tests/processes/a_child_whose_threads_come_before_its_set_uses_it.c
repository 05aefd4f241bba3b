// Threads of a forked child close, duplicate and make fds while one of them
// begins to use the inherited set.
// Source: fork(2), pthreads(7). Contract: 36
#include "harness.h"

static _Atomic int running, stop;

static void *busy(void *arg)
{
    int watched = *(int *)arg;
    running++;
    while (!stop) {
        int copy = OK(dup(watched)), p[2];
        pipe_pair(p);
        OK(dup2(p[0], copy));
        close_pair(p);
        OK(close(copy));
    }
    return NULL;
}

static void in_child(int epfd, int s[2])
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, busy, &s[0]), 0);
    UNTIL(running == 3);
    EXPECT_NOTHING_NOW(epfd);
    for (int i = 0; i < 20; i++) {
        bump(s[1], 1);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        drain(s[0]);
        EXPECT_NOTHING_NOW(epfd);
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    _exit(0);
}

static void test(void)
{
    for (int round = 0; round < 20; round++) {
        int epfd = ep_new(), s[2];
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
        EXPECT_NOTHING_NOW(epfd);
        pid_t pid = fork_child();
        if (pid == 0)
            in_child(epfd, s);
        child_must_pass(pid);
        close_pair(s);
        OK(close(epfd));
    }
}
