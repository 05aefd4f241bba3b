// A periodic timer expires again while it is read or just after: each expiry is an edge. So is each expiry of a timer
// that its reader sets again. The timer is made here or inherited.
// Linux: fs/timerfd.c:timerfd_read restarts the timer, timerfd_tmrproc wakes.
#include "harness.h"
#include <sys/uio.h>

enum { TURNS = 1500, LONG = 120000 };

static void set(int fd, long period_ns, bool periodic) {
    struct itimerspec spec = { .it_value = { 0, period_ns }, .it_interval = { 0, periodic ? period_ns : 0 } };
    OK(timerfd_settime(fd, 0, &spec, NULL));
}

static void turns(int fd, long period_ns, bool periodic) {
    int epfd = OK(epoll_create1(0));
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = fd };
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
    set(fd, period_ns, periodic);
    for (int turn = 0; turn < TURNS; turn++) {
        uint64_t ticks;
        struct iovec iov = { &ticks, sizeof ticks };
        if (OK(epoll_wait(epfd, &ev, 1, LONG)) != 1)
            FAIL("%ld ns, %s: lost after %d turns", period_ns, periodic ? "periodic" : "set anew", turn);
        CHECK_EQ(turn % 2 ? read(fd, &ticks, sizeof ticks) : readv(fd, &iov, 1), 8);
        if (!periodic)
            set(fd, period_ns, false);
    }
    OK(close(epfd));
}

static void all(int fd) {
    const long periods[] = { 1000, 20000, 50000, 100000 };
    for (size_t n = 0; n < sizeof periods / sizeof *periods; n++)
        for (int periodic = 0; periodic < 2; periodic++)
            turns(fd, periods[n], periodic);
}

static void test(void) {
    for (int flags = 0; flags < 2; flags++) {
        int fd = OK(timerfd_create(CLOCK_MONOTONIC, flags ? TFD_NONBLOCK : 0));
        pid_t child = OK(fork());
        if (child == 0) {
            all(fd);
            _exit(0);
        }
        int status;
        OK(waitpid(child, &status, 0));
        CHECK_EQ(status, 0);
        OK(close(fd));
        fd = OK(timerfd_create(CLOCK_MONOTONIC, flags ? TFD_NONBLOCK : 0));
        all(fd);
        OK(close(fd));
    }
}
