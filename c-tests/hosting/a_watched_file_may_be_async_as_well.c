// A file is in a set, and has O_ASYNC with the program as its owner: both the
// signal and the event come, whichever was set up first.
// Source: fcntl(2), F_SETOWN. Contract: 19
#include "harness.h"

static _Atomic int signals;

static void on_sigio(int signo)
{
    (void)signo;
    signals++;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_sigio, .sa_flags = SA_RESTART};
    OK(sigaction(SIGIO, &action, NULL));
    for (int async_first = 0; async_first < 2; async_first++)
        for (int edge = 0; edge < 2; edge++) {
            int epfd = ep_new(), s[2];
            const uint32_t mask = EPOLLIN | (edge ? EPOLLET : 0);
            unix_stream(s);
            if (!async_first) {
                OK(ep_add(epfd, s[0], mask));
                put(s[1], "x");
                EXPECT_ONE(epfd, s[0], EPOLLIN);
                drain(s[0]);
                EXPECT_NOTHING(epfd);
            }
            signals = 0;
            OK(fcntl(s[0], F_SETOWN, getpid()));
            OK(fcntl(s[0], F_SETFL, O_NONBLOCK | O_ASYNC));
            if (async_first)
                OK(ep_add(epfd, s[0], mask));
            for (int i = 1; i <= 5; i++) {
                put(s[1], "x");
                UNTIL(signals == i);
                EXPECT_ONE(epfd, s[0], EPOLLIN);
                if (edge)
                    EXPECT_NOTHING(epfd);
            }
            CHECK_EQ(fcntl(s[0], F_GETOWN), getpid());
            CHECK_EQ(fcntl(s[0], F_GETFL) & O_ASYNC, O_ASYNC);
            OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
            put(s[1], "x");
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            CHECK_EQ(signals, 5);
            close_pair(s);
            OK(close(epfd));
        }
}
