// Waiters with 1 ms timeouts share an edge-triggered item. If an edge is handed
// to a waiter just as it times out, the edge must reach another wait. Each byte
// is acknowledged before the next is sent.
// Source: Linux: fs/eventpoll.c:ep_poll (the last list_empty check).
// Contract: 26
#include "harness.h"

enum { BYTES = 1000 };
static int epfd, s[2];
static _Atomic int consumed;

static void *worker(void *unused)
{
    struct epoll_event ev[1];
    (void)unused;
    while (consumed < BYTES)
        if (wait_events(epfd, ev, 1, 1) == 1)
            consumed += drain(s[0]);
    return NULL;
}

static void test(void)
{
    pthread_t thread[3];
    epfd = ep_new();
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, worker, NULL), 0);
    for (int sent = 1; sent <= BYTES; sent++) {
        // Moves through the phase of the timeouts.
        struct timespec pause = {0, sent % 20 * 60000};
        nanosleep(&pause, NULL);
        put(s[1], "x");
        UNTIL(consumed >= sent);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    CHECK_EQ(consumed, BYTES);
    close_pair(s);
    OK(close(epfd));
}
