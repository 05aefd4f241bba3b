// While sets are in use, each signal from SIGRTMIN to SIGRTMAX starts as
// SIG_DFL, accepts the program's handler, and reaches it with its value and in
// order.
// Source: signal(7), real-time signals. Contract: 7
#include "harness.h"

static _Atomic int last_signal, last_value, handled;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    last_signal = signo;
    last_value = info->si_value.sival_int;
    handled++;
}

static void test(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    struct sigaction was;
    struct epoll_event ev[1];
    int epfd = ep_new(), s[2], count = 0;
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    CHECK(SIGRTMAX - SIGRTMIN >= 8);
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
        OK(sigaction(signo, &action, &was));
        CHECK(was.sa_handler == SIG_DFL);
        for (int i = 0; i < 3; i++) {
            put(s[1], "x");
            OK(sigqueue(getpid(), signo, (union sigval){.sival_int = i}));
            CHECK_EQ(handled, ++count);
            CHECK_EQ(last_signal, signo);
            CHECK_EQ(last_value, i);
        }
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        OK(sigaction(signo, NULL, &was));
        CHECK(was.sa_sigaction == on_signal);
    }
    // They interrupt a wait, as any other signal does.
    pid_t pid = fork_child();
    if (pid == 0) {
        until_asleep(getppid());
        OK(kill(getppid(), SIGRTMAX));
        _exit(0);
    }
    CHECK_ERR(epoll_wait(epfd, ev, 1, WAIT_MS), EINTR);
    CHECK_EQ(last_signal, SIGRTMAX);
    child_must_pass(pid);
    close_pair(s);
    OK(close(epfd));
}
