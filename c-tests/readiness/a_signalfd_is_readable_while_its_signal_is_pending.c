// A signalfd reports IN while a signal of its mask is pending, for the process
// or for the thread. It wakes a blocked wait.
// Source: signalfd(2). Contract: 18
#include "harness.h"

static void *send_later(void *arg)
{
    until_asleep(*(pid_t *)arg);
    OK(kill(getpid(), SIGUSR2));
    return NULL;
}

static void test(void)
{
    sigset_t mask, old;
    struct signalfd_siginfo info;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &mask, &old), 0);
    int epfd = ep_new(), s = OK(signalfd(-1, &mask, SFD_NONBLOCK));
    OK(ep_add(epfd, s, EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    OK(kill(getpid(), SIGUSR1));
    EXPECT_ONE(epfd, s, EPOLLIN);
    EXPECT_ONE(epfd, s, EPOLLIN);
    CHECK_EQ(read(s, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR1);
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
    EXPECT_ONE(epfd, s, EPOLLIN);
    CHECK_EQ(read(s, &info, sizeof info), sizeof info);

    pthread_t thread;
    pid_t me = gettid();
    CHECK_EQ(pthread_create(&thread, NULL, send_later, &me), 0);
    EXPECT_ONE(epfd, s, EPOLLIN);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(read(s, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR2);
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
    OK(close(s));
    OK(close(epfd));
}
