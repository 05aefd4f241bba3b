// A signal that the wait's mask blocks does not end the wait; its handler runs
// when the wait has returned and the old mask is back.
// Source: epoll_pwait(2). Contract: 7
#include "harness.h"

static _Atomic int handled;
static _Atomic pid_t tid;
static int epfd, e;

static void on_signal(int signo)
{
    (void)signo;
    handled++;
}

static void *waits(void *arg)
{
    struct epoll_event ev[1];
    sigset_t usr1;
    (void)arg;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    tid = gettid();
    CHECK_EQ(epoll_pwait(epfd, ev, 1, -1, &usr1), 1);
    CHECK_EVENT(ev[0], e, EPOLLIN);
    CHECK_EQ(handled, 1);
    return NULL;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t thread;
    OK(sigaction(SIGUSR1, &action, NULL));
    epfd = ep_new();
    e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN));
    CHECK_EQ(pthread_create(&thread, NULL, waits, NULL), 0);
    UNTIL(tid != 0);
    until_asleep(tid);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    sleep_ms(QUIET_MS);
    CHECK_EQ(handled, 0);
    bump(e, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(handled, 1);
    OK(close(e));
    OK(close(epfd));
}
