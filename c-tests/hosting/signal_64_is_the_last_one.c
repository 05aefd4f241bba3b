// A program may use signal 64, the kernel's last. Under glasspoll signal 64
// carries wakeups: SIGRTMAX is 63 and reaches the program, sigaction for 64 is
// EINVAL, a stray 64 does nothing, and the set works on.
// Source: signal(7), real-time signals. Contract: 8
// Limit: poll: no signal is taken from the program
#include "harness.h"

static _Atomic int handled, last;

static void on_signal(int signo)
{
    handled++;
    last = signo;
}

static void test(void)
{
    const bool ours = emulated();
    struct sigaction action = {.sa_handler = on_signal}, now;
    struct epoll_event ev[1];
    sigset_t all, mask;
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    CHECK_EQ(SIGRTMAX, ours ? 63 : 64);
    OK(sigaction(SIGRTMAX, &action, NULL));
    OK(raise(SIGRTMAX));
    CHECK_EQ(handled, 1);
    CHECK_EQ(last, SIGRTMAX);
    if (ours) {
        CHECK_ERR(sigaction(64, &action, NULL), EINVAL);
        CHECK_ERR(sigaction(64, NULL, &now), EINVAL);
        CHECK(signal(64, on_signal) == SIG_ERR);
        for (int i = 0; i < 3; i++) {
            OK(kill(getpid(), 64));
            OK(raise(64));
            OK(sigqueue(getpid(), 64, (union sigval){.sival_int = i}));
        }
        EXPECT_NOTHING(epfd);
        CHECK_EQ(handled, 1);
    } else {
        OK(sigaction(64, NULL, &now));
        CHECK(now.sa_handler == on_signal);
    }
    // Signal 64 can be blocked and unblocked like any other, and the mask reads
    // back as set.
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK_EQ(sigismember(&mask, 64), 1);
    sigemptyset(&all);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK_EQ(sigismember(&mask, 64), 0);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
    close_pair(s);
    OK(close(epfd));
}
