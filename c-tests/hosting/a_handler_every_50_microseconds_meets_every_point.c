// A timer signal every 50 us interrupts two threads inside every call there is.
// Its handler closes, adds, changes, writes, waits and polls. Each byte and
// each edge still arrives, and nothing hangs.
// GLASSPOLL_TEST_SECONDS: how long (default 2).
// Source: signal-safety(7). Contract: 3, 8, 12, 26
#include "harness.h"

enum { THREADS = 2 };
static int shared, churn[2];
static _Atomic long handled, rounds[THREADS];
static _Atomic bool stop;
static _Thread_local unsigned seed;

// Works on sets and files of its own, and on a set that no check depends on.
static void on_timer(int signo)
{
    int saved = errno, fd[2], own;
    struct epoll_event ev[2];
    struct pollfd p;
    (void)signo;
    handled++;
    switch (rand_r(&seed) % 6) {
    case 0:
        if (pipe2(fd, O_NONBLOCK) == 0) {
            ep_add(shared, fd[0], EPOLLIN | EPOLLET);
            ep_add(shared, fd[1], EPOLLOUT);
            epoll_wait(shared, ev, 2, 0);
            close(fd[0]);
            ep_mod(shared, fd[1], EPOLLIN);
            close(fd[1]);
        }
        break;
    case 1:
        own = epoll_create1(EPOLL_CLOEXEC);
        if (own >= 0) {
            ep_add(own, churn[0], EPOLLIN | EPOLLET);
            epoll_wait(own, ev, 2, 0);
            close(own);
        }
        break;
    case 2:
        if (write(churn[1], "x", 1) == -1 && errno != EAGAIN)
            _exit(3);
        ep_mod(shared, churn[0], EPOLLIN | EPOLLET);
        break;
    case 3: {
        char buf[64];
        while (read(churn[0], buf, sizeof buf) > 0)
            ;
        break;
    }
    case 4:
        p = (struct pollfd){shared, POLLIN, 0};
        poll(&p, 1, 0);
        break;
    default:
        own = dup(churn[0]);
        if (own >= 0) {
            ep_add(shared, own, EPOLLIN);
            close(own);
        }
    }
    errno = saved;
}

#define AGAIN(call)                                                            \
    ({                                                                         \
        int n_;                                                                \
        while ((n_ = (call)) == -1 && errno == EINTR)                          \
            ;                                                                  \
        OK(n_);                                                                \
    })

static void one_round(int epfd, int s[2], int e, unsigned turn)
{
    struct epoll_event ev[4];
    struct pollfd p = {epfd, POLLIN, 0};
    struct timeval long_time = {WAIT_MS / 1000, 0};
    sigset_t none;
    fd_set in;
    sigemptyset(&none);
    put(s[1], "x");
    switch (turn % 4) { // an edge, taken by each of the calls
    case 0: CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, WAIT_MS)), 1); break;
    case 1: CHECK_EQ(AGAIN(epoll_pwait(epfd, ev, 4, WAIT_MS, &none)), 1); break;
    case 2:
        CHECK_EQ(AGAIN(poll(&p, 1, WAIT_MS)), 1);
        CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, 0)), 1);
        break;
    default:
        FD_ZERO(&in);
        FD_SET(epfd, &in);
        while (select(epfd + 1, &in, NULL, NULL, &long_time) == -1) {
            CHECK_EQ(errno, EINTR);
            FD_SET(epfd, &in);
            long_time.tv_sec = WAIT_MS / 1000;
        }
        CHECK(FD_ISSET(epfd, &in));
        CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, 0)), 1);
    }
    CHECK_EVENT(ev[0], s[0], EPOLLIN);
    CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, 0)), 0);
    CHECK_EQ(drain(s[0]), 1);
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    bump(e, 1);
    CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, WAIT_MS)), 1);
    CHECK_EVENT(ev[0], e, EPOLLIN);
    int twin = OK(dup(e));
    OK(ep_mod(epfd, e, EPOLLIN));
    CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, WAIT_MS)), 1);
    OK(ep_del(epfd, e));
    OK(close(twin));
    drain(e);
    CHECK_EQ(AGAIN(epoll_wait(epfd, ev, 4, 0)), 0);
}

static void *works(void *arg)
{
    intptr_t me = (intptr_t)arg;
    int epfd = ep_new(), e = event_fd(), s[2];
    seed = me + 1;
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    while (!stop) {
        one_round(epfd, s, e, rounds[me]);
        if (++rounds[me] % 64 == 0) {
            int fresh[2]; // a new file under the old fd
            unix_stream(fresh);
            OK(dup2(fresh[0], s[0]));
            OK(dup2(fresh[1], s[1]));
            close_pair(fresh);
            OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
        }
    }
    close_pair(s);
    OK(close(e));
    OK(close(epfd));
    return NULL;
}

static void test(void)
{
    const char *seconds = getenv("GLASSPOLL_TEST_SECONDS");
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct sigevent notify = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec often = {{0, 50000}, {0, 50000}}, never = {};
    pthread_t thread[THREADS];
    timer_t timer;
    shared = ep_new();
    unix_stream(churn);
    OK(ep_add(shared, churn[0], EPOLLIN | EPOLLET));
    OK(sigaction(SIGALRM, &action, NULL));
    OK(timer_create(CLOCK_MONOTONIC, &notify, &timer));
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, works, (void *)i), 0);
    OK(timer_settime(timer, 0, &often, NULL));
    int64_t end = now_ns() + (seconds ? atoi(seconds) : 2) * 1000000000LL;
    // Watches that both threads make progress. With little CPU time the loop
    // runs longer, until enough has happened.
    while (now_ns() < end || handled <= 100 || rounds[0] <= 10 || rounds[1] <= 10) {
        long before[] = {rounds[0], rounds[1]};
        UNTIL(rounds[0] > before[0] && rounds[1] > before[1]);
        sleep_ms(50);
    }
    OK(timer_settime(timer, 0, &never, NULL));
    stop = true;
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    OK(timer_delete(timer));
    if (seconds)
        printf("%ld signals, %ld rounds\n", (long)handled, rounds[0] + rounds[1]);
    close_pair(churn);
    OK(close(shared));
}
