// A process with sets and threads gets a signal every 30 us and executes
// another program. The new program starts with exactly the caller's mask. A
// failed exec leaves the caller's mask as it was.
// Source: execve(2), signals. Contract: 7, 38
#include "harness.h"

static void on_signal(int signo) { (void)signo; }

static void *waits(void *epfd)
{
    struct epoll_event ev[1];
    for (;;)
        epoll_wait(*(int *)epfd, ev, 1, 1);
    return NULL;
}

static void expect_mask(void)
{
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    for (int signo = 1; signo <= 64; signo++)
        if ((sigismember(&now, signo) == 1) != (signo == SIGUSR2))
            FAIL("signal %d is %sblocked", signo, signo == SIGUSR2 ? "not " : "");
}

static void execute(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 30}, {0, 30}};
    int epfd = ep_new(), s[2];
    pthread_t thread;
    sigset_t usr2;
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &usr2, NULL), 0);
    OK(sigaction(SIGVTALRM, &action, NULL));
    OK(sigaction(SIGALRM, &action, NULL));
    CHECK_EQ(pthread_create(&thread, NULL, waits, &epfd), 0);
    // A timer lives on over exec, and its signal would end the new program. So
    // the timer runs only for the execs that fail. SIGCHLD comes across the
    // real exec, and the new program ignores it by default.
    OK(setitimer(ITIMER_VIRTUAL, &often, NULL));
    for (int i = 0; i < 30; i++) {
        put(s[1], "x");
        CHECK_ERR(execl("/nonexistent", "x", NULL), ENOENT);
        expect_mask();
    }
    struct itimerval off = {};
    OK(setitimer(ITIMER_VIRTUAL, &off, NULL));
    pid_t pid = getpid(), pest = OK(fork());
    if (pest == 0) { // sends signals until the exec and after it
        for (int64_t end = now_ns() + 30000000; now_ns() < end && getppid() == pid;
             )
            kill(pid, SIGCHLD);
        _exit(0);
    }
    OK(sigaction(SIGCHLD, &action, NULL));
    sleep_ms(2);
    execl("/proc/self/exe", test_argv[0], "look", NULL);
    _exit(1);
}

static void test(void)
{
    if (test_argv[1]) {
        expect_mask();
        _exit(0);
    }
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork_child();
        if (pid == 0)
            execute();
        child_must_pass(pid);
    }
}
