// A thread polls an epoll fd at the moment when another closes the fd and then
// makes an item of the set ready. If the poll comes first, it sees the item; if
// it comes last, it sees an fd that is not open. It never sleeps on.
// Source: Linux: fs/select.c:do_pollfd (fdget). Contract: 28
#include "harness.h"

enum { ROUNDS = 500 };
static int epfd;
static _Atomic int round_, polled;

static void *poller(void *unused)
{
    (void)unused;
    for (int i = 1; i <= ROUNDS; i++) {
        struct pollfd p = {epfd, POLLIN, 0};
        while (round_ < i)
            ;
        CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
        CHECK(p.revents == POLLIN || p.revents == POLLNVAL);
        polled = i;
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread;
    int fd = event_fd();
    epfd = ep_new();
    CHECK_EQ(pthread_create(&thread, NULL, poller, NULL), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        OK(ep_add(epfd, fd, EPOLLIN));
        round_ = i;
        for (volatile int n = 0; n < i % 1000; n++)
            ;
        OK(close(epfd));
        bump(fd, 1);
        while (polled < i)
            sched_yield();
        CHECK_EQ(drain(fd), 8);
        CHECK_EQ(ep_new(), epfd);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(fd));
    OK(close(epfd));
}
