// FIOASYNC turns signals off that are already off: nothing changes. It makes no edge, and a socket or pipe still wakes
// the waiter, also when a child or another program makes the call. If a child has read an eventfd to the end and this
// process has not, the child's next write wakes the waiter.
// Source: Linux: fs/ioctl.c:ioctl_fioasync. Contract: 20, 36
#include "harness.h"
#include "harness/looks.h"
#include <sys/ioctl.h>

// The program gets the fds of both ends.
static void the_other_program(int own, int peer)
{
    int off = 0;
    OK(ioctl(own, FIOASYNC, &off));
    sleep_ms(50);
    put(peer, "x");
}

static void test(void)
{
    if (test_argv[1]) {
        the_other_program(atoi(test_argv[1]), atoi(test_argv[2]));
        return;
    }
    int epfd = ep_new(), e = event_fd(), s[2], p[2], off = 0;
    unix_stream(s);
    pipe_pair(p);
    for (int i = 0; i < 2; i++) {
        int *fd = i ? p : s;
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        put(fd[1], "x");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        OK(ioctl(fd[0], FIOASYNC, &off));
        EXPECT_NOTHING(epfd);
        CHECK((OK(fcntl(fd[0], F_GETFL)) & O_ASYNC) == 0);
        put(fd[1], "x");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        CHECK_EQ(drain(fd[0]), 2);
        for (int execs = 0; execs < 2; execs++) {
            pid_t pid = fork_child();
            if (pid == 0) {
                char own[16], peer[16], *argv[] = {test_argv[0], own, peer, NULL};
                sprintf(own, "%d", fd[0]);
                sprintf(peer, "%d", fd[1]);
                if (execs)
                    OK(execv("/proc/self/exe", argv));
                the_other_program(fd[0], fd[1]);
                _exit(0);
            }
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            child_must_pass(pid);
            CHECK_EQ(drain(fd[0]), 1);
        }
        OK(ep_del(epfd, fd[0]));
    }
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    OK(ioctl(e, FIOASYNC, &off));
    EXPECT_NOTHING(epfd);
    pid_t pid = fork_child();
    if (pid == 0) {
        long before = sleeps_of(getppid());
        CHECK_EQ(drain(e), 8);
        await_a_look(getppid(), before);
        bump(e, 1);
        _exit(0);
    }
    EXPECT_ONE(epfd, e, EPOLLIN);
    child_must_pass(pid);
    close_pair(s);
    close_pair(p);
    OK(close(e));
    OK(close(epfd));
}
