// While watched files get data, sigwait, sigwaitinfo and sigtimedwait on all
// signals return only the program's own signals.
// Source: sigwaitinfo(2). Contract: 7
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
    struct timespec soon = {0, 50000000}, long_time = {WAIT_MS / 1000, 0};
    siginfo_t info;
    pthread_t thread;
    sigset_t all;
    int signo;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    traffic_files();
    CHECK_EQ(pthread_create(&thread, NULL, traffic, NULL), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(sigtimedwait(&all, &info, &soon), EAGAIN);
        OK(kill(getpid(), SIGUSR1));
        CHECK_EQ(sigtimedwait(&all, &info, &long_time), SIGUSR1);
        OK(kill(getpid(), SIGUSR2));
        CHECK_EQ(sigwaitinfo(&all, &info), SIGUSR2);
        CHECK_EQ(info.si_pid, getpid());
        OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}));
        CHECK_EQ(sigwaitinfo(&all, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, 5);
        OK(kill(getpid(), SIGRTMAX));
        CHECK_EQ(sigwait(&all, &signo), 0);
        CHECK_EQ(signo, SIGRTMAX);
        OK(kill(getpid(), SIGIO));
        CHECK_EQ(sigwait(&all, &signo), 0);
        CHECK_EQ(signo, SIGIO);
    }
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_pair(s);
    close_pair(p);
    OK(close(epfd));
}
