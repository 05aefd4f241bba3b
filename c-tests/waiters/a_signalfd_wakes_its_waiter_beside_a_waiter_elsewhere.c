// A signal for the process, or for the waiting thread itself, wakes the thread that waits on the set with the signalfd,
// whichever threads wait elsewhere, and whatever changes in the set while it sleeps.
// Linux: fs/signalfd.c:signalfd_poll looks at the signals of the calling thread and of its process.
#include "harness.h"

enum { ROUNDS = 100, LONG = 120000 };

static int elsewhere, set, signals;
static atomic_int told, tid;
static bool edge;

static void *idle(void *arg) {
    struct epoll_event ev;
    epoll_wait(elsewhere, &ev, 1, -1);
    return arg;
}

static void *serve(void *arg) {
    tid = gettid();
    for (;;) {
        struct epoll_event ev;
        CHECK_EQ(epoll_wait(set, &ev, 1, LONG), 1);
        struct signalfd_siginfo info;
        ssize_t got;
        while ((got = read(signals, &info, sizeof info)) == sizeof info) {
            told++;
            if (info.ssi_signo == SIGUSR2)
                return arg;
        }
        CHECK_EQ(errno, EAGAIN);
    }
}

static void until_told(int count) {
    for (int ms = 0; told < count && ms < LONG; ms++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    CHECK_EQ(told, count);
}

static void rounds(bool first) {
    set = OK(epoll_create1(0));
    signals = -1;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    signals = OK(signalfd(-1, &mask, SFD_NONBLOCK));
    struct epoll_event ev = { .events = EPOLLIN | (edge ? EPOLLET : 0) };
    // Added before the thread waits, or while it already sleeps on the set.
    if (first)
        OK(epoll_ctl(set, EPOLL_CTL_ADD, signals, &ev));
    tid = told = 0;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, serve, NULL), 0);
    while (!tid)
        sched_yield();
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    if (!first)
        OK(epoll_ctl(set, EPOLL_CTL_ADD, signals, &ev));
    for (int n = 1; n <= ROUNDS; n++) {
        if (n % 2)
            OK(kill(getpid(), SIGUSR1));
        else
            OK(tgkill(getpid(), tid, SIGUSR1));
        if (n % 7 == 0)
            OK(epoll_ctl(set, EPOLL_CTL_MOD, signals, &ev));
        until_told(n);
        if (n % 10 == 0)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    OK(tgkill(getpid(), tid, SIGUSR2));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(signals));
    OK(close(set));
}

static void test(void) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    OK(sigprocmask(SIG_BLOCK, &mask, NULL));
    elsewhere = OK(epoll_create1(0));
    int other = OK(eventfd(0, EFD_NONBLOCK));
    struct epoll_event ev = { .events = EPOLLIN };
    OK(epoll_ctl(elsewhere, EPOLL_CTL_ADD, other, &ev));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, idle, NULL), 0);
    for (int n = 0; n < 4; n++) {
        edge = n & 1;
        rounds(n & 2);
    }
    OK(eventfd_write(other, 1));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(other));
    OK(close(elsewhere));
}
