// A program starts with one file under several fds, as most do with stdin and
// stdout. When one of them is closed, its item stays, because the file is still
// open.
#include "harness.h"

static void inherited(void)
{
    int epfd = ep_new();
    OK(ep_add(epfd, 50, EPOLLIN));
    OK(close(50));
    EXPECT_NOTHING_NOW(epfd);
    put(52, "x");
    EXPECT_ONE(epfd, 50, EPOLLIN);
    CHECK_ERR(ep_del(epfd, 50), EBADF);
    OK(close(51));
    EXPECT_NOTHING_NOW(epfd);
    OK(close(52));
    OK(close(epfd));
}

static void test(void)
{
    int fd[2];
    if (test_argv[1]) {
        inherited();
        _exit(0);
    }
    pid_t pid = fork_child();
    if (pid == 0) {
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
        OK(dup2(fd[0], 50));
        OK(dup2(fd[0], 51));
        OK(dup2(fd[1], 52));
        close_pair(fd);
        execl("/proc/self/exe", test_argv[0], "inherited", NULL);
        _exit(1);
    }
    child_must_pass(pid);
}
