// A timer is set again and expires again: this is a new edge, though the first
// expiry was never read.
#include "harness.h"

static void expire(int fd)
{
    OK(timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {0, 1}}, NULL));
    until_polls(fd, POLLIN);
}

static void test(void)
{
    int epfd = ep_new(), fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    expire(fd);
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLIN);
    for (int i = 0; i < 5; i++) {
        EXPECT_NOTHING_NOW(epfd);
        expire(fd);
        EXPECT_ONE(epfd, fd, EPOLLIN);
    }
    // Setting the timer is no edge, and disarming it is no edge.
    OK(timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {100, 0}}, NULL));
    EXPECT_NOTHING_NOW(epfd);
    OK(timerfd_settime(fd, 0, &(struct itimerspec){0}, NULL));
    EXPECT_NOTHING(epfd);
    OK(close(fd));
    OK(close(epfd));
}
