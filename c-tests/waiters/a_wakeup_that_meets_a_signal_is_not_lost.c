// Waiters that signals interrupt share an edge-triggered item. A waiter that
// returns EINTR takes no event with it.
// Source: Linux: fs/eventpoll.c:ep_poll (signal_pending). Contract: 26
#include "harness.h"

enum { BYTES = 1000 };
static int epfd, s[2];
static _Atomic int consumed;

static void on_signal(int signo) { (void)signo; }

static void *worker(void *unused)
{
    struct epoll_event ev[1];
    (void)unused;
    while (consumed < BYTES) {
        int n = epoll_wait(epfd, ev, 1, 100);
        CHECK(n >= 0 || errno == EINTR);
        if (n == 1)
            consumed += drain(s[0]);
    }
    return NULL;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal}, old;
    pthread_t thread[2];
    epfd = ep_new();
    unix_stream(s);
    OK(sigaction(SIGUSR1, &action, &old));
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, worker, NULL), 0);
    for (int sent = 1; sent < BYTES; sent++) {
        CHECK_EQ(pthread_kill(thread[sent % 2], SIGUSR1), 0);
        put(s[1], "x");
        CHECK_EQ(pthread_kill(thread[!(sent % 2)], SIGUSR1), 0);
        UNTIL(consumed >= sent);
    }
    put(s[1], "x"); // the last one, after which the threads end
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    CHECK_EQ(consumed, BYTES);
    OK(sigaction(SIGUSR1, &old, NULL));
    close_pair(s);
    OK(close(epfd));
}
