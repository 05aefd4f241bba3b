// While watched files get data, a signalfd for all signals returns only the
// program's own signals, and sigpending shows none.
// Source: signalfd(2). Contract: 7
#include "harness.h"

static int epfd, s[2], p[2];
static _Atomic bool stop;

// Waits on the set and keeps its files busy, edge-triggered and
// level-triggered.
static void *traffic(void *unused)
{
    struct epoll_event ev[4];
    (void)unused;
    while (!stop) {
        put(s[1], "x");
        put(p[1], "x");
        CHECK(wait_events(epfd, ev, 4, WAIT_MS) > 0);
        drain(s[0]);
        drain(p[0]);
        wait_events(epfd, ev, 4, 1);
    }
    return NULL;
}

static void traffic_files(void)
{
    epfd = ep_new();
    unix_stream(s);
    pipe_pair(p);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, p[0], EPOLLIN));
}

static void test(void)
{
    struct signalfd_siginfo info;
    pthread_t thread;
    sigset_t all, pending;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    traffic_files();
    int fd = OK(signalfd(-1, &all, SFD_NONBLOCK));
    struct pollfd watch = {fd, POLLIN, 0};
    CHECK_EQ(pthread_create(&thread, NULL, traffic, NULL), 0);
    int signals[] = {SIGUSR1, SIGIO, SIGRTMIN, SIGRTMAX};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(poll(&watch, 1, 30), 0);
        CHECK_ERR(read(fd, &info, sizeof info), EAGAIN);
        OK(sigpending(&pending));
        for (int signo = 1; signo <= SIGRTMAX; signo++)
            CHECK(sigismember(&pending, signo) != 1);
        OK(kill(getpid(), signals[i]));
        CHECK_EQ(poll(&watch, 1, WAIT_MS), 1);
        CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
        CHECK_EQ(info.ssi_signo, signals[i]);
        CHECK_EQ(info.ssi_pid, getpid());
    }
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_pair(s);
    close_pair(p);
    OK(close(fd));
    OK(close(epfd));
}
