// A vfork child, or a child of clone with CLONE_VM, makes a file under an fd.
// The file is the child's alone: in this process the fd stands for what this
// process opens.
// Source: vfork(2), clone(2). Contract: 3, 36
#include "harness.h"
#include <sched.h>

static int free_fd;

static int child(void *unused)
{
    int pair[2];
    (void)unused;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pair[0] != free_fd)
        _exit(1);
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK))
        _exit(2);
    _exit(0);
}

static void test(void)
{
    enum { STACK = 256 << 10 };
    char *stack = malloc(STACK);
    int epfd = ep_new(), pair[2];
    CHECK(stack);
    for (int round = 0; round < 3; round++) {
        free_fd = OK(dup(epfd));
        OK(close(free_fd));
        pid_t pid = round == 0 ? vfork()
                  : round == 1 ? clone(child, stack + STACK,
                                       CLONE_VM | CLONE_VFORK | SIGCHLD, NULL)
                               : clone(child, stack + STACK, CLONE_VM | SIGCHLD, NULL);
        if (pid == 0)
            child(NULL);
        OK(pid);
        child_must_pass(pid);
        CHECK_EQ(OK(open("/", O_RDONLY | O_DIRECTORY)), free_fd);
        CHECK_ERR(ep_add(epfd, free_fd, EPOLLIN), EPERM);
        OK(close(free_fd));
        unix_stream(pair);
        CHECK_EQ(pair[0], free_fd);
        OK(ep_add(epfd, pair[0], EPOLLIN));
        put(pair[1], "x");
        EXPECT_ONE(epfd, pair[0], EPOLLIN);
        close_pair(pair);
    }
    OK(close(epfd));
    free(stack);
}
