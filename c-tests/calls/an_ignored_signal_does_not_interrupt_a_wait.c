// A signal that is ignored, by SIG_IGN or by default, a blocked signal and the
// end of a child do not end a wait.
// Source: signal(7). Contract: 8
#include "harness.h"

static void test(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    int epfd = ep_new(), e = event_fd();
    struct waiter w;
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr2, NULL), 0); // inherited by the waiter
    OK(sigaction(SIGUSR1, &ignore, &old));
    OK(ep_add(epfd, e, EPOLLIN));
    waiter_block(&w, epfd);
    CHECK_EQ(pthread_kill(w.thread, SIGUSR1), 0);
    CHECK_EQ(pthread_kill(w.thread, SIGWINCH), 0); // ignored by default
    CHECK_EQ(pthread_kill(w.thread, SIGURG), 0);
    CHECK_EQ(pthread_kill(w.thread, SIGUSR2), 0); // blocked
    OK(kill(getpid(), SIGUSR1));
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(0);
    child_must_pass(pid); // SIGCHLD
    sleep_ms(QUIET_MS);
    CHECK(!w.done);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    OK(sigaction(SIGUSR1, &old, NULL));
    OK(close(e));
    OK(close(epfd));
}
