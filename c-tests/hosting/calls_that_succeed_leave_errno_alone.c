// Threads contend for one set. Each epoll_ctl and epoll_wait that succeeds
// leaves errno as it was, and so does each write and close of a watched file.
// Source: errno(3) lets them change it; the system calls never do. Contract: 1
#include "harness.h"

enum { THREADS = 4, MARK = 4242 };
static int epfd;
static _Atomic bool stop;

#define SUCCEEDS(call)                                                         \
    do {                                                                       \
        errno = MARK;                                                          \
        OK(call);                                                              \
        CHECK_EQ(errno, MARK);                                                 \
    } while (0)

static void *works(void *unused)
{
    struct epoll_event ev[THREADS];
    uint64_t one = 1;
    (void)unused;
    for (int i = 0; !stop; i++) {
        int file = event_fd();
        SUCCEEDS(ep_add(epfd, file, EPOLLIN | (i % 2 ? EPOLLET : 0)));
        SUCCEEDS(write(file, &one, sizeof one));
        SUCCEEDS(epoll_wait(epfd, ev, THREADS, 0));
        SUCCEEDS(ep_mod(epfd, file, EPOLLIN | EPOLLOUT));
        SUCCEEDS(epoll_wait(epfd, ev, THREADS, 1));
        if (i % 3)
            SUCCEEDS(ep_del(epfd, file));
        SUCCEEDS(close(file));
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread[THREADS];
    struct epoll_event ev[1];
    epfd = ep_new();
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, works, NULL), 0);
    sleep_ms(1000);
    stop = true;
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    SUCCEEDS(epoll_wait(epfd, ev, 1, 10));
    OK(close(epfd));
}
