// With sets in use, sigprocmask and pthread_sigmask return exactly the mask
// that the program set: in the first thread, in other threads, and in handlers.
// Source: sigprocmask(2). Contract: 7
#include "harness.h"

static bool can_be_blocked(int signo)
{
    return signo != SIGKILL && signo != SIGSTOP &&
           (signo < 32 || signo >= SIGRTMIN); // glibc keeps the signals between these for itself
}

static void mask_is(bool all)
{
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        if (sigismember(&now, signo) != (all && can_be_blocked(signo)))
            FAIL("signal %d: member %d", signo, sigismember(&now, signo));
    OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK_EQ(sigismember(&now, SIGUSR1), all);
}

static void *block_and_unblock(void *arg)
{
    int epfd = *(int *)arg;
    struct epoll_event ev[1];
    sigset_t all, none, old;
    sigfillset(&all);
    sigemptyset(&none);
    sigemptyset(&old); // the kernel writes 8 bytes, and glibc before 2.32 looks at all 128
    for (int i = 0; i < 3; i++) {
        mask_is(false);
        CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, &old), 0);
        CHECK(sigisemptyset(&old));
        mask_is(true);
        CHECK_EQ(epoll_wait(epfd, ev, 1, 2), 0);
        CHECK_EQ(epoll_pwait(epfd, ev, 1, 2, &none), 0);
        mask_is(true);
        OK(sigprocmask(SIG_UNBLOCK, &all, NULL));
        mask_is(false);
        CHECK_EQ(epoll_wait(epfd, ev, 1, 2), 0);
        mask_is(false);
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
        mask_is(true);
        CHECK_EQ(epoll_pwait(epfd, ev, 1, 2, &all), 0);
        OK(sigprocmask(SIG_SETMASK, &none, &old));
        mask_is(false);
        CHECK_EQ(sigismember(&old, SIGUSR1), 1);
    }
    return NULL;
}

static _Atomic int handled;

static void on_signal(int signo)
{
    sigset_t now;
    handled++;
    CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    for (int other = 1; other <= SIGRTMAX; other++)
        if (sigismember(&now, other) != (other == signo))
            FAIL("in the handler, signal %d: member %d", other,
                 sigismember(&now, other));
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    int epfd = ep_new(), s[2];
    pthread_t thread;
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &none, NULL), 0);
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    block_and_unblock(&epfd);
    CHECK_EQ(pthread_create(&thread, NULL, block_and_unblock, &epfd), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(raise(SIGUSR1));
    CHECK_EQ(handled, 1);
    mask_is(false);
    close_pair(s);
    OK(close(epfd));
}
