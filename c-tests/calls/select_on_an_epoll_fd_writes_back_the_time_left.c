// select with an epoll fd among its files writes back the time left, which is 0
// after a timeout. It rejects a negative time and a closed fd.
// Source: select(2). Contract: 2
#include "harness.h"

static int epfd;

static int select_in(struct timeval *left)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(epfd, &set);
    return select(epfd + 1, &set, NULL, NULL, left);
}

static void test(void)
{
    struct timeval left = {60, 0};
    int file = event_fd(), me = getpid(), closed;
    fd_set set;
    pid_t pid;
    epfd = ep_new();
    OK(ep_add(epfd, file, EPOLLIN));
    pid = fork_child();
    if (pid == 0) {
        until_asleep(me);
        sleep_ms(50);
        bump(file, 1);
        _exit(0);
    }
    CHECK_EQ(select_in(&left), 1);
    child_must_pass(pid);
    CHECK(left.tv_sec < 60 && left.tv_sec > 20);
    CHECK(left.tv_usec >= 0 && left.tv_usec < 1000000);
    drain(file);
    left = (struct timeval){0, 30000};
    CHECK_EQ(select_in(&left), 0);
    CHECK_EQ(left.tv_sec, 0);
    CHECK_EQ(left.tv_usec, 0);
    bump(file, 1);
    left = (struct timeval){-1, 0};
    CHECK_ERR(select_in(&left), EINVAL);
    left = (struct timeval){0, -1};
    CHECK_ERR(select_in(&left), EINVAL);
    closed = OK(dup(file));
    OK(close(closed));
    FD_ZERO(&set);
    FD_SET(epfd, &set);
    FD_SET(closed, &set);
    left = (struct timeval){0, 0};
    CHECK_ERR(select((closed > epfd ? closed : epfd) + 1, &set, NULL, NULL, &left), EBADF);
    CHECK_EQ(select_in(&left), 1);
    OK(close(file));
    OK(close(epfd));
}
