// Parent and child share one set: each sees what the other adds, changes or
// deletes. Under glasspoll each goes on with its own copy, taken at the fork.
// Neither sees what the other does to its copy, and this makes no item report
// twice or stay silent.
// Source: fork(2); epoll(7), Q. Contract: 36
#include "harness.h"

// Lets the other process make its next move, and waits for its answer.
static void turn(int with)
{
    char c;
    until_polls(with, POLLIN);
    CHECK_EQ(read(with, &c, 1), 1);
}

static void test(void)
{
    const bool shared = !emulated();
    int epfd = ep_new(), old[2], new[2], over[2];
    unix_stream(old);
    unix_stream(new);
    unix_stream(over);
    OK(ep_add(epfd, old[0], EPOLLIN));
    pid_t pid = fork_child();
    if (pid == 0) {
        OK(ep_add(epfd, new[0], EPOLLIN));                       // ADD
        put(over[1], "1"), turn(over[1]);
        OK(ep_ctl(epfd, EPOLL_CTL_MOD, old[0], EPOLLIN, 77));    // MOD
        put(over[1], "2"), turn(over[1]);
        OK(ep_del(epfd, old[0]));                                // DEL
        put(over[1], "3"), turn(over[1]);
        // What the parent has added last.
        if (shared)
            CHECK_ERR(ep_add(epfd, over[1], EPOLLOUT), EEXIST);
        else
            OK(ep_add(epfd, over[1], EPOLLOUT));
        _exit(0);
    }
    turn(over[0]);
    put(new[1], "x");
    if (shared)
        EXPECT_ONE(epfd, new[0], EPOLLIN);
    else
        EXPECT_NOTHING(epfd);
    drain(new[0]);
    put(over[0], "."), turn(over[0]);
    put(old[1], "x");
    EXPECT_ONE(epfd, shared ? 77 : old[0], EPOLLIN);
    put(over[0], "."), turn(over[0]);
    if (shared)
        EXPECT_NOTHING(epfd);
    else
        EXPECT_ONE(epfd, old[0], EPOLLIN);
    OK(ep_add(epfd, over[1], EPOLLOUT));
    put(over[0], ".");
    child_must_pass(pid);
    close_pair(old);
    close_pair(new);
    close_pair(over);
    OK(close(epfd));
}
