// Data on watched files does not interrupt other calls of the program: sleep,
// poll, sigsuspend, read and semaphores, in other threads, with all signals
// unblocked.
// Source: signal(7). Contract: 8
#include "harness.h"
#include <semaphore.h>

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

static void on_signal(int signo) { (void)signo; }

static void *send_later(void *main_thread)
{
    sleep_ms(50);
    CHECK_EQ(pthread_kill(*(pthread_t *)main_thread, SIGUSR1), 0);
    return NULL;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct timespec nap = {0, 50000000}, until;
    pthread_t thread, sender, me = pthread_self();
    sigset_t none, usr1;
    sem_t semaphore;
    int quiet[2];
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &none, NULL), 0);
    OK(sigaction(SIGUSR1, &action, NULL));
    traffic_files();
    OK(pipe(quiet));
    CHECK_EQ(pthread_create(&thread, NULL, traffic, NULL), 0);

    for (int i = 0; i < 2; i++) {
        struct pollfd watch = {quiet[0], POLLIN, 0};
        fd_set in;
        OK(nanosleep(&nap, NULL));
        CHECK_EQ(poll(&watch, 1, 50), 0);
        CHECK_EQ(ppoll(&watch, 1, &nap, &none), 0);
        FD_ZERO(&in);
        FD_SET(quiet[0], &in);
        CHECK_EQ(pselect(quiet[0] + 1, &in, NULL, NULL, &nap, &none), 0);
        OK(sem_init(&semaphore, 0, 0));
        OK(clock_gettime(CLOCK_REALTIME, &until));
        until.tv_nsec += 50000000;
        if (until.tv_nsec >= 1000000000)
            until.tv_sec++, until.tv_nsec -= 1000000000;
        CHECK_ERR(sem_timedwait(&semaphore, &until), ETIMEDOUT);

        // Only the program's own signal ends sigsuspend.
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
        int64_t start = now_ns();
        CHECK_EQ(pthread_create(&sender, NULL, send_later, &me), 0);
        CHECK_ERR(sigsuspend(&none), EINTR);
        CHECK(now_ns() - start >= 50000000);
        CHECK_EQ(pthread_join(sender, NULL), 0);
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
    }
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close_pair(s);
    close_pair(p);
    close_pair(quiet);
    OK(close(epfd));
}
