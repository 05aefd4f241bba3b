// A wakeup reaches the items of a file with the newest first, and the exclusive
// items after all others.
#include "harness.h"

static void order_of(int fd, void (*make_ready)(int fd))
{
    struct epoll_event ev[4];
    int epfd = ep_new(), second = OK(dup(fd)), third = OK(dup(fd));
    OK(ep_add(epfd, second, EPOLLIN));
    OK(ep_add(epfd, third, EPOLLIN | EPOLLEXCLUSIVE));
    OK(ep_add(epfd, fd, EPOLLIN));
    make_ready(fd);
    CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 3);
    CHECK_EVENT(ev[0], fd, EPOLLIN);
    CHECK_EVENT(ev[1], second, EPOLLIN);
    CHECK_EVENT(ev[2], third, EPOLLIN);
    OK(close(second));
    OK(close(third));
    OK(close(epfd));
}

static void expire(int fd)
{
    OK(timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {0, 1}}, NULL));
    until_polls(fd, POLLIN);
}

static void add_one(int fd) { bump(fd, 1); }

static int peer;

static void write_to_peer(int fd)
{
    (void)fd;
    put(peer, "x");
}

static void test(void)
{
    int timer = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    int event = event_fd(), fd[2];
    unix_stream(fd);
    peer = fd[1];
    order_of(timer, expire);
    order_of(event, add_one);
    order_of(fd[0], write_to_peer);
    OK(close(timer));
    OK(close(event));
    close_pair(fd);
}
