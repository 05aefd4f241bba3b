// A program ignores SIGIO, uses a set and executes another program, by fork and
// by vfork. The new program ignores SIGIO too. A failed exec changes nothing.
// Source: execve(2); signal(7). Contract: 7, 38
#include "harness.h"

static void (*now(void))(int)
{
    struct sigaction action;
    OK(sigaction(SIGIO, NULL, &action));
    return action.sa_handler;
}

static void test(void)
{
    if (test_argv[1])
        _exit(now() != SIG_IGN);
    char *argv[] = {test_argv[0], "look", NULL};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    OK(sigaction(SIGIO, &ignore, NULL));
    for (int round = 0; round < 2; round++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            execv("/proc/self/exe", argv);
            _exit(2);
        }
        child_must_pass(pid);
        pid = vfork();
        if (pid == 0) {
            execv("/proc/self/exe", argv);
            _exit(2);
        }
        child_must_pass(OK(pid));
        CHECK_ERR(execv("/nowhere/at/all", argv), ENOENT);
        CHECK(now() == SIG_IGN);
        OK(kill(getpid(), SIGIO));
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(drain(s[0]), 1);
    }
    close_pair(s);
    OK(close(epfd));
}
