// A handler that runs during a wait ends the wait with EINTR, with and without
// SA_RESTART, with and without a timeout. No event is lost.
// Source: signal(7); epoll_wait(2), EINTR. Contract: 8
#include "harness.h"

static _Atomic int handled;

static void on_signal(int signo)
{
    (void)signo;
    handled++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal}, old;
    int epfd = ep_new(), s[2], rounds = 0;
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int restart = 0; restart < 2; restart++)
        for (int limited = 0; limited < 2; limited++) {
            struct waiter w;
            action.sa_flags = restart ? SA_RESTART : 0;
            OK(sigaction(SIGUSR1, &action, rounds ? NULL : &old));
            memset(&w, 0, sizeof w);
            w.epfd = epfd;
            w.timeout = limited ? WAIT_MS : -1;
            CHECK_EQ(pthread_create(&w.thread, NULL, waiter_main, &w), 0);
            UNTIL(w.tid != 0);
            until_asleep(w.tid);
            CHECK_EQ(pthread_kill(w.thread, SIGUSR1), 0);
            waiter_join(&w);
            CHECK_EQ(w.n, -1);
            CHECK_EQ(w.error, EINTR);
            CHECK_EQ(handled, ++rounds);
            put(s[1], "x");
            EXPECT_ONE(epfd, s[0], EPOLLIN);
        }
    OK(sigaction(SIGUSR1, &old, NULL));
    close_pair(s);
    OK(close(epfd));
}
