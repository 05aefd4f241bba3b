// A process whose first thread has ended goes on with threads that make their
// first epoll call later. The process ends with the last of them.
// Source: pthread_exit(3). Contract: 35
#include "harness.h"

static int epfd, fd[2];

// Sleeps without libc, so that the library has not seen this thread before.
static void rest(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    syscall(SYS_nanosleep, &t, NULL);
}

static void *late(void *unused)
{
    (void)unused;
    rest(300);
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
    put(fd[1], "x");
    EXPECT_ONE(epfd, 1, EPOLLIN);
    return NULL;
}

static void test(void)
{
    // The parent waits for the end of the process.
    pid_t pid = OK(fork());
    if (pid == 0) {
        pthread_t thread;
        epfd = ep_new();
        OK(pipe2(fd, O_NONBLOCK));
        CHECK_EQ(pthread_create(&thread, NULL, late, NULL), 0);
        pthread_exit(NULL);
    }
    child_must_pass(pid);
}
