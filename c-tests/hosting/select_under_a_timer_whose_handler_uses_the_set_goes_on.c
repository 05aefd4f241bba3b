// A thread calls select on an epoll fd, over and over. A fast timer signal
// interrupts it, and the handler changes the set and waits on it. Neither the
// calls nor the handler hang.
// Source: signal-safety(7). Contract: 2, 8
#include "harness.h"

static int epfd, file;
static _Atomic int handled;

static void on_signal(int signo)
{
    struct epoll_event ev[2];
    int saved = errno, other = eventfd(0, EFD_NONBLOCK);
    (void)signo;
    if (other == -1 || ep_add(epfd, other, EPOLLIN) == -1)
        _exit(1);
    if (epoll_wait(epfd, ev, 2, 0) == -1 || close(other) == -1)
        _exit(1);
    handled++;
    errno = saved;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigevent notify = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    // Slow enough for a loaded machine to do more than handle signals.
    struct itimerspec often = {{0, 100000}, {0, 100000}}, never = {};
    timer_t timer;
    int64_t end;
    int calls = 0;
    epfd = ep_new();
    file = event_fd();
    OK(ep_add(epfd, file, EPOLLIN));
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(timer_create(CLOCK_MONOTONIC, &notify, &timer));
    OK(timer_settime(timer, 0, &often, NULL));
    for (end = now_ns() + 1000000000; now_ns() < end || handled == 0; calls++) {
        fd_set set;
        struct timeval now = {0, 0}, soon = {0, 200};
        FD_ZERO(&set);
        FD_SET(epfd, &set);
        int n = select(epfd + 1, &set, NULL, NULL, calls % 2 ? &soon : &now);
        CHECK(n == 0 || (n == -1 && errno == EINTR));
    }
    OK(timer_settime(timer, 0, &never, NULL));
    OK(timer_delete(timer));
    EXPECT_NOTHING_NOW(epfd);
    bump(file, 1);
    EXPECT_ONE(epfd, file, EPOLLIN);
    OK(close(file));
    OK(close(epfd));
}
