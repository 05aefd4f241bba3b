// For one second, every 200 us, a handler adds, changes, deletes and closes
// watched files while the interrupted program is inside epoll_ctl or
// epoll_wait. Nothing deadlocks.
// Source: signal-safety(7) names no epoll call, but each is one system call.
// Contract: 3, 12
#include "harness.h"

static int epfd, shared[2], busy;
static _Atomic int handled;

static void on_timer(int signo)
{
    int saved = errno, fd[2];
    struct epoll_event ev[2];
    (void)signo;
    if (pipe2(fd, O_NONBLOCK) == 0) {
        ep_add(epfd, fd[0], EPOLLIN | (handled % 2 ? EPOLLET : 0));
        ep_add(epfd, fd[1], EPOLLOUT);
        epoll_wait(epfd, ev, 2, 0);
        ep_mod(epfd, fd[1], EPOLLIN);
        if (handled % 3 == 0)
            ep_del(epfd, fd[0]);
        close(fd[0]);
        close(fd[1]);
    }
    ep_mod(epfd, shared[0], EPOLLIN | EPOLLET);
    if (write(shared[1], "x", 1) == -1)
        busy++;
    handled++;
    errno = saved;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval fast = {{0, 200}, {0, 200}}, off = {0};
    struct epoll_event ev[8];
    int e = event_fd();
    unix_stream(shared);
    epfd = ep_new();
    OK(ep_add(epfd, shared[0], EPOLLIN | EPOLLET));
    OK(sigaction(SIGALRM, &action, NULL));
    OK(setitimer(ITIMER_REAL, &fast, NULL));
    int64_t end = now_ns() + 1000000000;
    for (int i = 0; now_ns() < end || handled <= 10; i++) {
        OK(ep_add(epfd, e, EPOLLIN));
        int n = epoll_wait(epfd, ev, 8, i % 2);
        CHECK(n >= 0 || errno == EINTR);
        OK(ep_mod(epfd, e, EPOLLOUT));
        OK(ep_del(epfd, e));
        char buf[256];
        while (read(shared[0], buf, sizeof buf) > 0)
            ;
    }
    OK(setitimer(ITIMER_REAL, &off, NULL));
    drain(shared[0]);
    while (epoll_wait(epfd, ev, 8, 0) > 0)
        ;
    put(shared[1], "x");
    EXPECT_ONE(epfd, shared[0], EPOLLIN);
    close_pair(shared);
    OK(close(e));
    OK(close(epfd));
}
