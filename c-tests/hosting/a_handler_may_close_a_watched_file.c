// While the program waits, a handler closes a watched file and opens another
// under its fd. The wait then reports the new file and never the closed one.
// Source: signal-safety(7), close. Contract: 8, 12, 13
#include "harness.h"

static int epfd, s[2];
static _Atomic int generation;

static void on_signal(int signo)
{
    (void)signo;
    close(s[0]);
    close(s[1]);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == -1)
        _exit(1);
    generation++;
    ep_ctl(epfd, EPOLL_CTL_ADD, s[0], EPOLLIN, generation);
    if (write(s[1], "x", 1) != 1)
        _exit(1);
}

static void *sender(void *arg)
{
    until_asleep(*(pid_t *)arg);
    OK(kill(getpid(), SIGUSR1));
    return NULL;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t usr1;
    struct epoll_event ev[2];
    pid_t me = gettid();
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigaction(SIGUSR1, &action, NULL));
    unix_stream(s);
    epfd = ep_new();
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[0], EPOLLIN, 0));
    for (int i = 1; i <= 10; i++) {
        pthread_t thread;
        // Only this thread may take the signal.
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
        CHECK_EQ(pthread_create(&thread, NULL, sender, &me), 0);
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
        // The handler makes a file ready, but it runs while the wait is ending,
        // so EINTR is right too.
        int n = epoll_wait(epfd, ev, 2, WAIT_MS);
        CHECK(n == 1 || (n == -1 && errno == EINTR));
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(generation, i);
        EXPECT_ONE(epfd, i, EPOLLIN);
        drain(s[0]);
        EXPECT_NOTHING_NOW(epfd);
    }
    close_pair(s);
    OK(close(epfd));
}
