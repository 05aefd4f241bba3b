// A read of an eventfd semaphore that leaves a rest is no edge for the reader; a write is an edge. The same holds for a
// read of a signalfd that takes some of its signals.
// Linux: fs/eventfd.c:eventfd_read wakes for room alone.
#include "harness.h"

static void test(void)
{
    int epfd = OK(epoll_create1(0)), fd = OK(eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE));
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = 1 };
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
    EXPECT_ONE(epfd, 1, EPOLLIN);
    eventfd_t value;
    OK(eventfd_read(fd, &value));
    CHECK_EQ(value, 1);
    EXPECT_NOTHING(epfd);
    OK(eventfd_write(fd, 1));
    EXPECT_ONE(epfd, 1, EPOLLIN);
    for (int left = 3; left > 0; left--)
        OK(eventfd_read(fd, &value));
    EXPECT_NOTHING(epfd);
    OK(eventfd_write(fd, 1));
    EXPECT_ONE(epfd, 1, EPOLLIN);
    OK(close(fd));

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
    ev.data.u64 = 2;
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
    OK(kill(getpid(), SIGUSR1));
    OK(kill(getpid(), SIGUSR2));
    EXPECT_ONE(epfd, 2, EPOLLIN);
    struct signalfd_siginfo info;
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    EXPECT_NOTHING(epfd);
    OK(kill(getpid(), SIGUSR1)); // another signal while SIGUSR2 is still pending
    EXPECT_ONE(epfd, 2, EPOLLIN);
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    EXPECT_NOTHING(epfd);
    OK(close(fd));
    OK(close(epfd));
}
