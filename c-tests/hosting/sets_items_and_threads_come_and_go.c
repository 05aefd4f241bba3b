// Sets, items and threads come and go and leave nothing behind. Each of ROUNDS
// rounds has its own set, four items and a thread that waits. scripts/sanitize
// runs this under valgrind, which counts what leaks.
// Source: epoll(7). Contract: 12, 28
#include "harness.h"

static void *once(void *at)
{
    int epfd = *(int *)at;
    struct epoll_event ev[4];
    CHECK_EQ(epoll_wait(epfd, ev, 4, WAIT_MS), 2);
    return NULL;
}

static void test(void)
{
    const char *said = getenv("ROUNDS");
    int rounds = said ? atoi(said) : 500;
    for (int round = 0; round < rounds; round++) {
        int epfd = ep_new(), s[2], p[2], e = event_fd();
        pthread_t thread;
        unix_stream(s);
        OK(pipe2(p, O_NONBLOCK));
        OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
        OK(ep_add(epfd, p[0], EPOLLIN));
        OK(ep_add(epfd, p[1], EPOLLOUT | EPOLLONESHOT));
        OK(ep_add(epfd, e, EPOLLIN));
        put(s[1], "x");
        CHECK_EQ(pthread_create(&thread, NULL, once, &epfd), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        // Items leave in each way: deleted, closed before the set, and closed
        // with the set.
        OK(ep_del(epfd, p[0]));
        close_pair(s);
        OK(close(epfd));
        close_pair(p);
        OK(close(e));
    }
}
