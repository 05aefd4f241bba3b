// An epoll set: its calls, and the events that a wait on it gives.
#ifndef HARNESS_EPOLL_SET_H
#define HARNESS_EPOLL_SET_H

#include "check.h"
#include "clock.h"
#include <stdint.h>
#include <sys/epoll.h>

static inline int ep_new(void) { return OK(epoll_create1(EPOLL_CLOEXEC)); }

static inline int ep_ctl(int epfd, int op, int fd, uint32_t events,
                         uint64_t value)
{
    struct epoll_event ev = {.events = events, .data.u64 = value};
    return epoll_ctl(epfd, op, fd, &ev);
}

static inline int ep_add(int epfd, int fd, uint32_t events)
{
    return ep_ctl(epfd, EPOLL_CTL_ADD, fd, events, fd);
}

static inline int ep_mod(int epfd, int fd, uint32_t events)
{
    return ep_ctl(epfd, EPOLL_CTL_MOD, fd, events, fd);
}

static inline int ep_del(int epfd, int fd)
{
    return epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
}

static inline int wait_events(int epfd, struct epoll_event *ev, int max,
                              int timeout)
{
    return OK(epoll_wait(epfd, ev, max, timeout));
}

#define CHECK_EVENT(event, value, mask)                                        \
    do {                                                                       \
        struct epoll_event e__ = (event);                                      \
        CHECK_EQ((uint32_t)e__.events, (uint32_t)(mask));                      \
        CHECK_EQ(e__.data.u64, (uint64_t)(value));                             \
    } while (0)

// Exactly one event comes, now or soon; it has this value and this mask.
#define EXPECT_ONE(epfd, value, mask)                                          \
    do {                                                                       \
        struct epoll_event ev_[8];                                             \
        CHECK_EQ(epoll_wait((epfd), ev_, 8, WAIT_MS), 1);                      \
        CHECK_EVENT(ev_[0], value, mask);                                      \
    } while (0)

#define EXPECT_NOTHING_NOW(epfd) expect_nothing(__LINE__, epfd, 0)
#define EXPECT_NOTHING(epfd) expect_nothing(__LINE__, epfd, QUIET_MS)

static inline void expect_nothing(int line, int epfd, int timeout)
{
    struct epoll_event ev[8];
    int n = epoll_wait(epfd, ev, 8, timeout);
    if (n != 0)
        FAIL("line %d: wait returned %d (errno %s), expected 0; first events %#x",
             line, n, strerrorname_np(errno), n > 0 ? ev[0].events : 0);
}

#endif
