// The program's SIGIO and its own real-time signal for an O_ASYNC socket keep
// working beside a set. A watched file does not send the program any of these
// signals.
// Source: fcntl(2), F_SETOWN, F_SETSIG. Contract: 19
#include "harness.h"

static _Atomic int plain, queued, queued_fd;

static void on_sigio(int signo)
{
    (void)signo;
    plain++;
}

static void on_queued(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    queued_fd = info->si_fd;
    queued++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_sigio, .sa_flags = SA_RESTART};
    struct sigaction info = {.sa_sigaction = on_queued,
                             .sa_flags = SA_RESTART | SA_SIGINFO};
    int epfd = ep_new(), own[2], watched[2];
    unix_stream(own);
    unix_stream(watched);
    OK(sigaction(SIGIO, &action, NULL));
    OK(sigaction(SIGRTMIN + 3, &info, NULL));
    OK(ep_add(epfd, watched[0], EPOLLIN | EPOLLET));
    OK(fcntl(own[0], F_SETOWN, getpid()));
    OK(fcntl(own[0], F_SETFL, O_NONBLOCK | O_ASYNC));
    for (int i = 1; i <= 3; i++) {
        put(watched[1], "x");
        EXPECT_ONE(epfd, watched[0], EPOLLIN);
        EXPECT_NOTHING(epfd);
        CHECK_EQ(plain, i - 1);
        put(own[1], "x");
        UNTIL(plain == i);
    }
    OK(fcntl(own[0], F_SETSIG, SIGRTMIN + 3));
    put(own[1], "x");
    UNTIL(queued == 1);
    CHECK_EQ(queued_fd, own[0]);
    CHECK_EQ(plain, 3);
    CHECK_EQ(fcntl(own[0], F_GETFL) & O_ASYNC, O_ASYNC);
    CHECK_EQ(fcntl(own[0], F_GETSIG), SIGRTMIN + 3);
    CHECK_EQ(fcntl(own[0], F_GETOWN), getpid());
    close_pair(own);
    close_pair(watched);
    OK(close(epfd));
}
