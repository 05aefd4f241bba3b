// A signal was sent to one thread, so a signalfd is readable for this thread.
// Its wait reports the signalfd, though other threads wait on sets of their
// own.
// Source: fs/signalfd.c, signalfd_poll asks for the thread that polls.
#include "harness.h"

static int other_epfd, stop;
static pthread_t main_thread;

static void *wait_elsewhere(void *unused)
{
    EXPECT_ONE(other_epfd, stop, EPOLLIN);
    return unused;
}

static void *send_later(void *unused)
{
    sleep_ms(QUIET_MS);
    CHECK_EQ(pthread_kill(main_thread, SIGUSR1), 0);
    return unused;
}

static void test(void)
{
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &usr1, NULL));
    main_thread = pthread_self();
    int epfd = ep_new(), fd = OK(signalfd(-1, &usr1, SFD_NONBLOCK | SFD_CLOEXEC));
    OK(ep_add(epfd, fd, EPOLLIN));
    other_epfd = ep_new();
    stop = event_fd();
    OK(ep_add(other_epfd, stop, EPOLLIN));
    pthread_t other, sender;
    OK(pthread_create(&other, NULL, wait_elsewhere, NULL));
    sleep_ms(QUIET_MS);
    for (int i = 0; i < 3; i++) {
        OK(pthread_create(&sender, NULL, send_later, NULL));
        struct signalfd_siginfo info;
        struct epoll_event ev;
        CHECK_EQ(epoll_wait(epfd, &ev, 1, WAIT_MS), 1);
        CHECK_EVENT(ev, fd, EPOLLIN);
        CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
        CHECK_EQ(info.ssi_signo, SIGUSR1);
        OK(pthread_join(sender, NULL));
    }
    OK(eventfd_write(stop, 1));
    OK(pthread_join(other, NULL));
    OK(close(fd));
    OK(close(stop));
    OK(close(other_epfd));
    OK(close(epfd));
}
