// One thread takes events in small batches while another makes files ready, one after the other. The events come in
// this order, also for files that become ready in the middle of a batch.
// Source: Linux: fs/eventpoll.c:ep_done_scan (ovflist). Contract: 22
// Limit: poll: files that are asked come in the order of looking, not in that of becoming ready
#include "harness.h"

enum { FILES = 300, ROUNDS = 12 };
static int fd[FILES][2];

static void *writes(void *unused)
{
    (void)unused;
    for (int i = 0; i < FILES; i++)
        put(fd[i][1], "x");
    return NULL;
}

static void test(void)
{
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    int epfd = ep_new();
    for (int i = 0; i < FILES; i++) {
        if (i % 2)
            unix_stream(fd[i]);
        else
            pipe_pair(fd[i]);
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[i][0], EPOLLIN | EPOLLET, i));
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct epoll_event ev[7];
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, writes, NULL), 0);
        for (int next = 0; next < FILES;) {
            int n = wait_events(epfd, ev, 1 + round % 7, WAIT_MS);
            CHECK(n > 0);
            for (int i = 0; i < n; i++, next++)
                CHECK_EVENT(ev[i], next, EPOLLIN);
        }
        CHECK_EQ(pthread_join(thread, NULL), 0);
        EXPECT_NOTHING_NOW(epfd);
        for (int i = 0; i < FILES; i++)
            CHECK_EQ(drain(fd[i][0]), 1);
    }
    for (int i = 0; i < FILES; i++)
        close_pair(fd[i]);
    OK(close(epfd));
}
