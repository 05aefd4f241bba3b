// A wait with timeout 0 does not check for a pending signal that the mask lets
// through: it returns 0, and the handler does not run.
// Source: Linux: fs/eventpoll.c:ep_poll (timed_out). Contract: 7
#include "harness.h"

static _Atomic int handled;

static void on_signal(int signo)
{
    (void)signo;
    handled++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct timespec zero = {0, 0};
    struct epoll_event ev[1];
    int epfd = ep_new();
    sigset_t usr1, none;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    OK(raise(SIGUSR1));
    CHECK_EQ(epoll_pwait(epfd, ev, 1, 0, &none), 0);
    CHECK_EQ(handled, 0);
    CHECK_EQ(epoll_pwait2(epfd, ev, 1, &zero, &none), 0);
    CHECK_EQ(handled, 0);
    CHECK_ERR(epoll_pwait(epfd, ev, 1, 1000, &none), EINTR);
    CHECK_EQ(handled, 1);
    OK(close(epfd));
}
