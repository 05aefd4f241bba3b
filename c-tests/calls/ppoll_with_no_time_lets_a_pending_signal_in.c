// A signal is pending. ppoll and pselect with a timeout of 0 and a mask that
// lets the signal in return EINTR after its handler has run. If something is
// ready they return that, and the handler waits. (epoll_pwait returns 0 in this
// case.)
// Source: fs/select.c, do_poll, do_select: the signal is looked at though the
// time is over.
#include "harness.h"

static volatile sig_atomic_t handled;
static void handler(int sig) { (void)sig, handled++; }

static int by_ppoll(int epfd, const sigset_t *mask)
{
    struct pollfd pollfd = {.fd = epfd, .events = POLLIN};
    return ppoll(&pollfd, 1, &(struct timespec){0, 0}, mask);
}

static int by_pselect(int epfd, const sigset_t *mask)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(epfd, &set);
    return pselect(epfd + 1, &set, NULL, NULL, &(struct timespec){0, 0}, mask);
}

static void test(void)
{
    int (*calls[])(int, const sigset_t *) = {by_ppoll, by_pselect};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    OK(sigaction(SIGUSR1, &action, NULL));
    sigset_t usr1, none;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &usr1, NULL));
    int epfd = ep_new(), e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN));
    for (int i = 0; i < 2; i++) {
        handled = 0;
        CHECK_EQ(calls[i](epfd, &none), 0);
        OK(kill(getpid(), SIGUSR1));
        CHECK_EQ(calls[i](epfd, &usr1), 0);
        CHECK_EQ(calls[i](epfd, NULL), 0);
        CHECK_EQ(handled, 0);
        CHECK_ERR(calls[i](epfd, &none), EINTR);
        CHECK_EQ(handled, 1);

        OK(eventfd_write(e, 1));
        OK(kill(getpid(), SIGUSR1));
        CHECK_EQ(calls[i](epfd, &none), 1);
        CHECK_EQ(handled, 1);
        eventfd_t value;
        OK(eventfd_read(e, &value));
        CHECK_ERR(calls[i](epfd, &none), EINTR);
        CHECK_EQ(handled, 2);
    }
    OK(close(e));
    OK(close(epfd));
}
