// A watched fd is closed while a dup is open: the item goes on reporting, for a
// pipe, a TCP socket, an eventfd and a timerfd too.
// Source: epoll(7), Q6. Contract: 12
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), p[2], t[2], e = event_fd();
    int timer = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    pipe_pair(p);
    tcp_pair(t);
    int fd[] = {p[0], t[0], e, timer}, twin[4];
    for (int i = 0; i < 4; i++) {
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[i], EPOLLIN | EPOLLET, i));
        twin[i] = OK(dup(fd[i]));
        OK(close(fd[i]));
    }
    EXPECT_NOTHING(epfd);
    for (int round = 0; round < 3; round++) {
        put(p[1], "x");
        EXPECT_ONE(epfd, 0, EPOLLIN);
        put(t[1], "x");
        EXPECT_ONE(epfd, 1, EPOLLIN);
        bump(twin[2], 1);
        EXPECT_ONE(epfd, 2, EPOLLIN);
        OK(timerfd_settime(twin[3], 0, &soon, NULL));
        EXPECT_ONE(epfd, 3, EPOLLIN);
    }
    for (int i = 0; i < 4; i++)
        OK(close(twin[i]));
    OK(close(p[1]));
    OK(close(t[1]));
    EXPECT_NOTHING(epfd);
    OK(close(epfd));
}
