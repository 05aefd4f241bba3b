// A file was watched and deleted from the set. Then the program asks for its
// signals. When the file is watched again, the program still gets them.
// Source: fcntl(2), F_SETOWN, F_SETSIG. Contract: 19
#include "harness.h"

static _Atomic int signals;

static void on_signal(int signo)
{
    (void)signo;
    signals++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    OK(sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 4; i++) {
        int epfd = ep_new(), s[2];
        const uint32_t mask = EPOLLIN | (i % 2 ? EPOLLET : 0);
        unix_stream(s);
        if (i / 2) {
            OK(ep_add(epfd, s[0], mask));
            OK(ep_del(epfd, s[0]));
        }
        OK(fcntl(s[0], F_SETOWN, getpid()));
        OK(fcntl(s[0], F_SETSIG, SIGUSR1));
        OK(fcntl(s[0], F_SETFL, O_NONBLOCK | O_ASYNC));
        OK(ep_add(epfd, s[0], mask));
        signals = 0;
        for (int n = 1; n <= 3; n++) {
            put(s[1], "x");
            UNTIL(signals == n);
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            CHECK_EQ(drain(s[0]), 1);
            EXPECT_NOTHING_NOW(epfd);
        }
        CHECK_EQ(OK(fcntl(s[0], F_GETOWN)), getpid());
        CHECK_EQ(OK(fcntl(s[0], F_GETFL)) & O_ASYNC, O_ASYNC);
        close_pair(s);
        OK(close(epfd));
    }
}
