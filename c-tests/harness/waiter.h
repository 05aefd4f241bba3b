// A thread that makes one epoll_wait.
#ifndef HARNESS_WAITER_H
#define HARNESS_WAITER_H

#include "check.h"
#include "clock.h"
#include "epoll_set.h"
#include "process.h"
#include <pthread.h>
#include <stdatomic.h>

struct waiter {
    pthread_t thread;
    _Atomic pid_t tid; // set right before the wait
    _Atomic bool done;
    int epfd, timeout;
    int n, error;
    struct epoll_event ev[8];
};

static inline void *waiter_main(void *arg)
{
    struct waiter *w = arg;
    w->tid = gettid();
    w->n = epoll_wait(w->epfd, w->ev, 8, w->timeout);
    w->error = errno;
    w->done = true;
    return NULL;
}

static inline void waiter_start(struct waiter *w, int epfd)
{
    memset(w, 0, sizeof *w);
    w->epfd = epfd;
    w->timeout = -1;
    CHECK_EQ(pthread_create(&w->thread, NULL, waiter_main, w), 0);
}

// Returns when the waiter sleeps in its wait.
static inline void waiter_block(struct waiter *w, int epfd)
{
    waiter_start(w, epfd);
    UNTIL(w->tid != 0);
    until_asleep(w->tid);
    CHECK(!w->done);
}

static inline void waiter_join(struct waiter *w)
{
    UNTIL(w->done);
    CHECK_EQ(pthread_join(w->thread, NULL), 0);
}

static inline void waiter_join_with(struct waiter *w, uint64_t value,
                                    uint32_t mask)
{
    waiter_join(w);
    CHECK_EQ(w->n, 1);
    CHECK_EVENT(w->ev[0], value, mask);
}

static inline int waiters_done(struct waiter *w, int count)
{
    int done = 0;
    for (int i = 0; i < count; i++)
        done += w[i].done;
    return done;
}

#endif
