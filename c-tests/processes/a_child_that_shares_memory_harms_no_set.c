// clone with CLONE_VM|CLONE_VFORK makes a child. It closes watched fds by each
// of the calls, puts other files under them and sets a signal handler. None of
// this changes anything in the parent.
// Source: clone(2). Contract: 12, 36
#include "harness.h"
#include <sched.h>

static int epfd, s[4][2];

static int child(void *unused)
{
    (void)unused;
    close(s[0][0]);
    dup2(s[3][1], s[1][0]);
    dup3(s[3][1], s[1][1], O_CLOEXEC);
    fcntl(s[3][0], F_DUPFD, 0);
    close_range(s[2][0], s[2][1], 0);
    syscall(SYS_close, s[3][0]);
    close(epfd);
    closefrom(3);
    signal(SIGUSR2, SIG_IGN);
    _exit(0);
}

static void test(void)
{
    enum { STACK = 256 << 10 };
    char *stack = malloc(STACK);
    struct waiter w;
    CHECK(stack);
    epfd = ep_new();
    for (int i = 0; i < 4; i++) {
        unix_stream(s[i]);
        OK(ep_add(epfd, s[i][0], EPOLLIN | (i % 2 ? EPOLLET : 0)));
    }
    for (int round = 0; round < 3; round++) {
        waiter_block(&w, epfd); // now the library's helper thread watches
        pid_t pid = OK(clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD,
                             NULL));
        child_must_pass(pid);
        CHECK(!w.done);
        for (int i = 0; i < 4; i++) {
            CHECK_ERR(ep_add(epfd, s[i][0], EPOLLIN), EEXIST);
            put(s[i][1], "x");
            if (i == 0)
                waiter_join_with(&w, s[0][0], EPOLLIN);
            else
                EXPECT_ONE(epfd, s[i][0], EPOLLIN);
            CHECK_EQ(drain(s[i][0]), 1);
            EXPECT_NOTHING_NOW(epfd);
        }
    }
    for (int i = 0; i < 4; i++)
        close_pair(s[i]);
    OK(close(epfd));
    free(stack);
}
