// pthread_kill ends the wait of its thread. Other waits go on, on the same set
// and on others.
// Source: pthread_kill(3). Contract: 8, 26
#include "harness.h"

static void on_signal(int signo) { (void)signo; }

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal}, old;
    int epfd = ep_new(), other = ep_new(), e = event_fd();
    struct waiter w[3];
    OK(sigaction(SIGUSR1, &action, &old));
    OK(ep_add(epfd, e, EPOLLIN));
    OK(ep_add(other, e, EPOLLIN));
    waiter_block(&w[0], epfd);
    waiter_block(&w[1], epfd);
    waiter_block(&w[2], other);
    CHECK_EQ(pthread_kill(w[1].thread, SIGUSR1), 0);
    waiter_join(&w[1]);
    CHECK_EQ(w[1].n, -1);
    CHECK_EQ(w[1].error, EINTR);
    sleep_ms(QUIET_MS);
    CHECK(!w[0].done && !w[2].done);
    bump(e, 1);
    waiter_join_with(&w[0], e, EPOLLIN);
    waiter_join_with(&w[2], e, EPOLLIN);
    OK(sigaction(SIGUSR1, &old, NULL));
    OK(close(e));
    OK(close(epfd));
    OK(close(other));
}
