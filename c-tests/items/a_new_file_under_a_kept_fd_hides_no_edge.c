// A watched file lives on under a dup, and its fd is given to other files that
// are added to sets. Meanwhile bytes are written to the watched file and read,
// one by one: each is one edge, no more and no less.
// Source: epoll(7), Q6. Contract: 12, 19
#include "harness.h"

enum { ROUNDS = 1000 };
static int epfd, ends[2];
static int file; // changes under the lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool over;

// Writes the next byte as soon as the last one has been read.
static void *ping(void *unused)
{
    struct epoll_event ev[4];
    (void)unused;
    while (!over) {
        CHECK_EQ(write(ends[1], "1234", 4), 4);
        CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 1);
        CHECK_EVENT(ev[0], 7, EPOLLIN);
        pthread_mutex_lock(&lock);
        CHECK_EQ(drain(file), 4);
        pthread_mutex_unlock(&lock);
        EXPECT_NOTHING_NOW(epfd);
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread;
    int at, others = ep_new();
    OK(pipe2(ends, O_NONBLOCK));
    at = file = ends[0];
    epfd = ep_new();
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, file, EPOLLIN | EPOLLET, 7));
    CHECK_EQ(pthread_create(&thread, NULL, ping, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        int pair[2];
        pthread_mutex_lock(&lock);
        file = OK(dup(at));
        OK(close(at));
        pthread_mutex_unlock(&lock);
        OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
        CHECK_EQ(pair[0], at);
        OK(ep_ctl(others, EPOLL_CTL_ADD, pair[0], EPOLLIN, 8));
        OK(ep_ctl(others, EPOLL_CTL_DEL, pair[0], 0, 0));
        OK(close(pair[0]));
        OK(close(pair[1]));
        at = file;
    }
    over = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(file));
    OK(close(ends[1]));
    OK(close(epfd));
    OK(close(others));
}
