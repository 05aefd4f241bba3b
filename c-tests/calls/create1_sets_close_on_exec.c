// epoll_create1 sets the close-on-exec flag if asked for; the flag can be
// changed, and exec obeys it.
// Source: epoll_create1(2). Contract: 2
#include "harness.h"

static void test(void)
{
    if (test_argv[1]) { // after exec: which of the two fds is still open?
        CHECK_ERR(fcntl(atoi(test_argv[1]), F_GETFD), EBADF);
        CHECK_EQ(fcntl(atoi(test_argv[2]), F_GETFD), 0);
        _exit(0);
    }
    int shut = OK(epoll_create1(EPOLL_CLOEXEC)), kept = OK(epoll_create1(0));
    int old = OK(epoll_create(1));
    CHECK_EQ(fcntl(shut, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(kept, F_GETFD), 0);
    CHECK_EQ(fcntl(old, F_GETFD), 0);
    OK(fcntl(old, F_SETFD, FD_CLOEXEC));
    CHECK_EQ(fcntl(old, F_GETFD), FD_CLOEXEC);

    pid_t pid = fork_child();
    if (pid == 0) {
        char a[12], b[12];
        snprintf(a, sizeof a, "%d", shut);
        snprintf(b, sizeof b, "%d", kept);
        execl("/proc/self/exe", test_argv[0], a, b, NULL);
        _exit(1);
    }
    child_must_pass(pid);
    OK(close(shut));
    OK(close(kept));
    OK(close(old));
}
