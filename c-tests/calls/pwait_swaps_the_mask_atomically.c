// A signal is pending and blocked, and the wait's mask lets it through: its
// handler runs once, the wait ends with EINTR, and the old mask is back.
// epoll_pwait and epoll_pwait2.
// Source: epoll_pwait(2). Contract: 7
#include "harness.h"

static _Atomic int handled;

static void on_signal(int signo)
{
    (void)signo;
    handled++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct epoll_event ev[1];
    int epfd = ep_new();
    sigset_t usr1, none, now, pending;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    for (int two = 0; two < 2; two++) {
        OK(raise(SIGUSR1));
        CHECK_EQ(handled, two);
        if (two)
            CHECK_ERR(epoll_pwait2(epfd, ev, 1, NULL, &none), EINTR);
        else
            CHECK_ERR(epoll_pwait(epfd, ev, 1, -1, &none), EINTR);
        CHECK_EQ(handled, two + 1);
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
        CHECK_EQ(sigismember(&now, SIGUSR1), 1);
        CHECK_EQ(sigismember(&now, SIGUSR2), 0);
        OK(sigpending(&pending));
        CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    }
    OK(close(epfd));
}
