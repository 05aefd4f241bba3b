// If an event is ready, the wait returns it. A pending signal that the mask
// lets through stays pending, and its handler does not run.
// Source: Linux: fs/eventpoll.c:ep_poll. Contract: 8
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
    struct epoll_event ev[1];
    int epfd = ep_new(), s[2];
    sigset_t usr1, none, pending;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    OK(raise(SIGUSR1));
    for (int timeout = -1; timeout < 2; timeout++) {
        put(s[1], "x");
        CHECK_EQ(epoll_pwait(epfd, ev, 1, timeout, &none), 1);
        CHECK_EVENT(ev[0], s[0], EPOLLIN);
        CHECK_EQ(handled, 0);
        OK(sigpending(&pending));
        CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
    }
    CHECK_ERR(epoll_pwait(epfd, ev, 1, -1, &none), EINTR);
    CHECK_EQ(handled, 1);
    close_pair(s);
    OK(close(epfd));
}
