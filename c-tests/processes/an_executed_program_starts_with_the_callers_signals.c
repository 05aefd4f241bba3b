// A program is executed while sets are in use, after fork and vfork and by
// posix_spawn. It starts with the mask and the ignored signals that its parent
// chose, and has nothing else blocked, ignored or pending. It runs without
// LD_PRELOAD, so it sees what the kernel handed over.
// Source: execve(2). Contract: 7, 38
#include "harness.h"
#include <spawn.h>

extern char **environ;

// The executed program. It returns 0 if only SIGUSR1 is blocked and only
// SIGUSR2 is ignored.
static int look(void)
{
    sigset_t mask, pending;
    sigemptyset(&mask);
    sigemptyset(&pending);
    OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8));
    OK(syscall(SYS_rt_sigpending, &pending, 8));
    for (int signo = 1; signo <= 64; signo++) {
        // Raw calls, because glibc's hide its own two signals. Their actions
        // depend on what started the test.
        struct { void *handler; unsigned long rest[3]; } action;
        uint64_t bit = 1ULL << (signo - 1);
        OK(syscall(SYS_rt_sigaction, signo, NULL, &action, 8));
        if ((signo < 32 || signo > 33) &&
            (action.handler != SIG_DFL) != (signo == SIGUSR2))
            FAIL("signal %d has handler %p", signo, action.handler);
        if (!!(*(uint64_t *)&mask & bit) != (signo == SIGUSR1))
            FAIL("signal %d: unexpected mask", signo);
        if (*(uint64_t *)&pending & bit)
            FAIL("signal %d is pending", signo);
    }
    return 0;
}

static void test(void)
{
    if (test_argv[1])
        _exit(look());
    struct sigaction standard = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    char *argv[] = {test_argv[0], "look", NULL};
    int epfd = ep_new(), s[2];
    pid_t pid;
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        if (signo != SIGKILL && signo != SIGSTOP &&
            (signo < 32 || signo >= SIGRTMIN))
            OK(sigaction(signo, &standard, NULL));
    OK(sigaction(SIGUSR2, &ignore, NULL));
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &usr1, NULL), 0);
    OK(unsetenv("LD_PRELOAD"));
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int round = 0; round < 3; round++) {
        put(s[1], "x");
        pid = fork_child();
        if (pid == 0) {
            execv("/proc/self/exe", argv);
            _exit(1);
        }
        child_must_pass(pid);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        put(s[1], "x");
        pid = vfork();
        if (pid == 0) {
            execv("/proc/self/exe", argv);
            _exit(1);
        }
        OK(pid);
        child_must_pass(pid);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        put(s[1], "x");
        CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
        child_must_pass(pid);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        EXPECT_NOTHING(epfd);
    }
    // A process that has just used a set of its own calls exec.
    pid = fork_child();
    if (pid == 0) {
        int own = ep_new();
        OK(ep_add(own, s[0], EPOLLIN | EPOLLET));
        EXPECT_ONE(own, s[0], EPOLLIN);
        EXPECT_NOTHING(own);
        put(s[1], "x");
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    child_must_pass(pid);
    close_pair(s);
    OK(close(epfd));
}
