// If a process is stopped and continued during a wait, the wait ends with EINTR, also without any handler.
// Source: signal(7), "Interruption of system calls by stop signals".
// Contract: 8
// Limit: preloaded: SIGSTOP and SIGCONT do not end a wait with EINTR; the wait goes on
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd(), status;
    struct epoll_event ev[1];
    pid_t pid = fork_child();
    if (pid == 0) {
        int own = ep_new();
        OK(ep_add(own, e, EPOLLIN));
        CHECK_ERR(epoll_wait(own, ev, 1, WAIT_MS), EINTR);
        CHECK_EQ(epoll_wait(own, ev, 1, 0), 0);
        _exit(0);
    }
    until_asleep(pid);
    sleep_ms(20);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    OK(kill(pid, SIGCONT));
    child_must_pass(pid);
    OK(close(e));
    OK(close(epfd));
}
