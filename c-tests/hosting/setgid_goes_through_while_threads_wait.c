// For setgid, glibc runs a handler of its own in every thread. setgid returns
// while threads wait on a set and poll it. The waits may end with EINTR; waits
// made after that work.
// Source: nptl(7). Contract: 7, 8
#include "harness.h"

enum { THREADS = 4, ROUNDS = 20 };
static int epfd, file;
static _Atomic pid_t tid[THREADS];

static void *waits(void *arg)
{
    intptr_t i = (intptr_t)arg;
    struct epoll_event ev[1];
    struct pollfd p = {epfd, POLLIN, 0};
    int n;
    tid[i] = gettid();
    do
        n = i % 2 ? poll(&p, 1, -1) : epoll_wait(epfd, ev, 1, -1);
    while (n == -1 && errno == EINTR);
    CHECK_EQ(n, 1);
    if (i % 2)
        CHECK_EQ(p.revents, POLLIN);
    else
        CHECK_EVENT(ev[0], file, EPOLLIN);
    return NULL;
}

static void test(void)
{
    pthread_t thread[THREADS];
    epfd = ep_new();
    file = event_fd();
    OK(ep_add(epfd, file, EPOLLIN));
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, waits, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        UNTIL(tid[i] != 0);
        until_asleep(tid[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start = now_ns();
        OK(setgid(getgid()));
        CHECK(now_ns() - start < WAIT_MS * 1000000LL);
        // In half of the rounds the threads are back in their waits before the
        // next setgid.
        if (i % 2)
            sleep_ms(3);
    }
    bump(file, 1);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    OK(close(file));
    OK(close(epfd));
}
