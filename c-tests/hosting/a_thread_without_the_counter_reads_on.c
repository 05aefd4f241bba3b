// A thread that may not read the CPU's time stamp counter reads and writes
// watched files as before.
// Source: PR_SET_TSC(2const). Contract: 19
#include "harness.h"

static int fd[2];

static void *reader(void *unused)
{
    char byte;
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0)
        SKIP("only x86 has that");
    CHECK_EQ(write(fd[1], "x", 1), 1);
    CHECK_EQ(read(fd[0], &byte, 1), 1);
    CHECK_ERR(read(fd[0], &byte, 1), EAGAIN);
    OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
    return unused;
}

static void test(void)
{
    pthread_t thread;
    int epfd = ep_new();
    OK(pipe2(fd, O_NONBLOCK));
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
    put(fd[1], "x");
    EXPECT_ONE(epfd, 1, EPOLLIN);
    drain(fd[0]);
    CHECK_EQ(pthread_create(&thread, NULL, reader, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    put(fd[1], "x");
    EXPECT_ONE(epfd, 1, EPOLLIN);
    OK(close(fd[0]));
    OK(close(fd[1]));
    OK(close(epfd));
}
