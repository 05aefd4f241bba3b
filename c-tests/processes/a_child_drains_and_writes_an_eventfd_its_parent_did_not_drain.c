// In the parent an eventfd was reported and not read. A child reads it to the end, and writes to it later. The waiter
// in the parent, which sleeps all the time, gets an event; a waiter on a set made after the fork gets one too.
// Source: Linux: fs/eventfd.c:eventfd_write. Contract: 20, 37
#include "harness.h"
#include "harness/looks.h"

static void child(int e, int go)
{
    char byte;
    CHECK_EQ(read(go, &byte, 1), 1);
    long before = sleeps_of(getppid());
    CHECK_EQ(drain(e), 8);
    await_a_look(getppid(), before);
    bump(e, 1);
    _exit(0);
}

static void round_of(bool add_first, bool past_libc)
{
    int epfd = ep_new(), e = event_fd(), go[2];
    OK(pipe(go));
    if (add_first)
        OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    bump(e, 1);
    if (add_first)
        EXPECT_ONE(epfd, e, EPOLLIN);
    pid_t pid = past_libc ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    CHECK(pid >= 0);
    if (pid == 0)
        child(e, go[0]);
    if (!add_first) {
        OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
        EXPECT_ONE(epfd, e, EPOLLIN);
    }
    CHECK_EQ(write(go[1], "x", 1), 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    OK(close(go[0]));
    OK(close(go[1]));
    OK(close(e));
    OK(close(epfd));
}

static void test(void)
{
    for (int round = 0; round < 4; round++)
        round_of(round & 1, round & 2);
}
