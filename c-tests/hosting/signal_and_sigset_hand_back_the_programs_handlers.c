// A program mixes signal, sigset and sigaction while a set is in use. Each call
// returns the handler that the program last set, by whichever call, and the
// handler set last runs.
// Source: signal(2), sigset(3). Contract: 7
#include "harness.h"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static volatile sig_atomic_t first_ran, second_ran;

static void first(int signo)
{
    CHECK_EQ(signo, SIGUSR1);
    first_ran++;
}

static void second(int signo)
{
    CHECK_EQ(signo, SIGUSR1);
    second_ran++;
}

static void (*installed(void))(int)
{
    struct sigaction now;
    OK(sigaction(SIGUSR1, NULL, &now));
    return now.sa_handler;
}

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    CHECK(signal(SIGUSR1, first) == SIG_DFL);
    CHECK(installed() == first);
    CHECK(sigset(SIGUSR1, second) == first);
    CHECK(installed() == second);
    OK(raise(SIGUSR1));
    CHECK_EQ(first_ran, 0);
    CHECK_EQ(second_ran, 1);
    CHECK(signal(SIGUSR1, first) == second);
    CHECK(installed() == first);
    OK(raise(SIGUSR1));
    CHECK_EQ(first_ran, 1);
    CHECK_EQ(second_ran, 1);
    // SIG_HOLD blocks the signal and keeps its handler. The next call returns
    // SIG_HOLD.
    CHECK(sigset(SIGUSR1, SIG_HOLD) == first);
    OK(raise(SIGUSR1));
    CHECK_EQ(first_ran, 1);
    CHECK(sigset(SIGUSR1, second) == SIG_HOLD);
    CHECK_EQ(second_ran, 2);
    CHECK(sigset(SIGUSR1, SIG_DFL) == second);
    CHECK(installed() == SIG_DFL);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    close_pair(s);
    OK(close(epfd));
}
