// One thread adds an fd over and over, while another opens files under it and
// closes them. When all are closed, the set is empty: it reports no event for
// another file under one of these fds, and no old item makes its ADD fail.
// Source: epoll(7), Q6. Contract: 12, 13
#include "harness.h"

enum { FRESH = 40 };
static int epfd;
static _Atomic int current;
static _Atomic bool stop;

static void *adds(void *unused)
{
    (void)unused;
    while (!stop) {
        int fd = current;
        if (fd >= 0 && ep_add(epfd, fd, EPOLLIN) == -1)
            CHECK(errno == EEXIST || errno == EBADF);
    }
    return NULL;
}

static void test(void)
{
    unsigned seed = 1;
    for (int kind = 0; kind < 2; kind++) { // pipe, eventfd
        struct epoll_event ev[FRESH + 1];
        pthread_t thread;
        int fresh[FRESH];
        int64_t end = now_ns() + 700000000;
        current = -1;
        stop = false;
        epfd = ep_new();
        CHECK_EQ(pthread_create(&thread, NULL, adds, NULL), 0);
        while (now_ns() < end) {
            int fd[2] = {-1, -1};
            if (kind == 0)
                pipe_pair(fd);
            else
                fd[0] = event_fd();
            current = fd[0];
            for (volatile int n = rand_r(&seed) % 300; n > 0; n--)
                ;
            OK(close(fd[0]));
            current = -1;
            if (fd[1] != -1)
                OK(close(fd[1]));
        }
        stop = true;
        CHECK_EQ(pthread_join(thread, NULL), 0);
        for (int i = 0; i < FRESH; i++) {
            fresh[i] = event_fd();
            bump(fresh[i], 1);
        }
        EXPECT_NOTHING(epfd);
        for (int i = 0; i < FRESH; i++)
            OK(ep_add(epfd, fresh[i], EPOLLIN));
        CHECK_EQ(wait_events(epfd, ev, FRESH + 1, WAIT_MS), FRESH);
        for (int i = 0; i < FRESH; i++)
            OK(close(fresh[i]));
        OK(close(epfd));
    }
}
