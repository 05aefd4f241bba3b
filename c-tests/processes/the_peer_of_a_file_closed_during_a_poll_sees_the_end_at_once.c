// One thread polls the epoll fd, and others wait on sets of their own. When
// another thread closes watched files, each peer sees the end while the poll
// and the waits go on.
// Source: epoll(7), Q6. Contract: 28, 39
#include "harness.h"

static int epfd;
static _Atomic pid_t tid;
static _Atomic bool done;

static void *polls(void *unused)
{
    struct pollfd p = {epfd, POLLIN, 0};
    (void)unused;
    tid = gettid();
    CHECK_EQ(poll(&p, 1, -1), 1);
    done = true;
    return NULL;
}

static void test(void)
{
    for (int waiting = 0; waiting < 2; waiting++) {
        int other = ep_new(), e = event_fd(), end = event_fd(), fd[6][2];
        struct waiter w;
        pthread_t thread;
        epfd = ep_new();
        OK(ep_add(epfd, e, EPOLLIN));
        OK(ep_add(other, end, EPOLLIN));
        for (int i = 0; i < 6; i++) {
            if (i % 3 == 0)
                unix_stream(fd[i]);
            else if (i % 3 == 1)
                tcp_pair(fd[i]);
            else
                pipe_pair(fd[i]);
            // The program uses O_ASYNC itself, so the library polls the file
            // instead of getting its signals.
            if (i >= 3)
                OK(fcntl(fd[i][0], F_SETFL, O_NONBLOCK | O_ASYNC));
            OK(ep_add(epfd, fd[i][0], EPOLLIN | (i % 2 ? EPOLLET : 0)));
            OK(ep_add(other, fd[i][0], EPOLLIN | EPOLLET));
        }
        tid = 0;
        done = false;
        CHECK_EQ(pthread_create(&thread, NULL, polls, NULL), 0);
        UNTIL(tid != 0);
        until_asleep(tid);
        if (waiting)
            waiter_block(&w, other);
        for (int i = 0; i < 6; i++) {
            struct pollfd peer = {fd[i][1], POLLIN | POLLRDHUP, 0};
            OK(close(fd[i][0]));
            CHECK_EQ(poll(&peer, 1, WAIT_MS), 1);
            OK(close(fd[i][1]));
        }
        sleep_ms(QUIET_MS);
        CHECK(!done);
        bump(e, 1);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        EXPECT_ONE(epfd, e, EPOLLIN);
        if (waiting) {
            CHECK(!w.done);
            bump(end, 1);
            waiter_join_with(&w, end, EPOLLIN);
        }
        OK(close(e));
        OK(close(end));
        OK(close(other));
        OK(close(epfd));
    }
}
