// main calls pthread_exit while threads wait. The process lives until the last
// waiter has ended, and then ends with status 0.
// Source: pthread_exit(3). Contract: 38
#include "harness.h"

static int epfd;

static void *waits(void *timeout)
{
    struct epoll_event ev[1];
    if (epoll_wait(epfd, ev, 1, *(int *)timeout) != 0)
        _exit(1);
    return NULL;
}

static void test(void)
{
    static int timeout[] = {60, 200};
    int status;
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        epfd = ep_new();
        OK(ep_add(epfd, event_fd(), EPOLLIN));
        for (int i = 0; i < 2; i++, sleep_ms(20))
            CHECK_EQ(pthread_create(&thread, NULL, waits, &timeout[i]), 0);
        pthread_exit(NULL);
    }
    UNTIL(OK(waitpid(pid, &status, WNOHANG)) == pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}
