// epoll_create may get an fd whose close, by another thread, is not quite
// finished: the new set works all the same.
// Source: epoll_create(2), close(2). Contract: 1
#include "harness.h"

enum { CLOSERS = 2, ROUNDS = 30000 };
static _Atomic bool stop;

static void *open_and_close(void *unused)
{
    (void)unused;
    while (!stop) {
        int fd[2];
        pipe_pair(fd);
        close_pair(fd);
    }
    return NULL;
}

static void test(void)
{
    pthread_t closer[CLOSERS];
    int e = event_fd();
    bump(e, 1);
    for (int i = 0; i < CLOSERS; i++)
        CHECK_EQ(pthread_create(&closer[i], NULL, open_and_close, NULL), 0);
    for (int n = 0; n < ROUNDS; n++) {
        int epfd = ep_new();
        OK(ep_add(epfd, e, EPOLLIN));
        EXPECT_ONE(epfd, e, EPOLLIN);
        OK(close(epfd));
    }
    stop = true;
    for (int i = 0; i < CLOSERS; i++)
        CHECK_EQ(pthread_join(closer[i], NULL), 0);
    OK(close(e));
}
