// A program makes a set as root and then gives up root, for good or for a
// while. It can still use the set, add to it, fork, and make new sets.
// Source: setuid(2). Contract: 12, 19, 36
#include "harness.h"

enum { USER = 54321, OTHER = 54322 };

static void use(int epfd, int fd[2], int e)
{
    struct waiter w;
    for (int i = 0; i < 3; i++) {
        put(fd[1], "x");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    waiter_block(&w, epfd);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    bump(e, 1); // stays undrained
    EXPECT_ONE(epfd, e, EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
}

static void child(int how)
{
    int epfd = ep_new(), before[2], after[2], e = event_fd();
    unix_stream(before);
    if (how == 1)
        OK(seteuid(OTHER));
    OK(ep_add(epfd, before[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    use(epfd, before, e);
    if (how == 1)
        OK(seteuid(0));
    OK(setgid(USER));
    if (how == 2)
        OK(seteuid(USER));
    else
        OK(setuid(USER));
    use(epfd, before, e);
    tcp_pair(after);
    OK(ep_add(epfd, after[0], EPOLLIN | EPOLLET));
    use(epfd, after, e);
    pid_t pid = fork_child();
    if (pid == 0) {
        int own = ep_new();
        OK(ep_add(own, after[0], EPOLLIN | EPOLLET));
        EXPECT_ONE(own, after[0], EPOLLIN);
        e = event_fd();
        OK(ep_add(own, e, EPOLLIN | EPOLLET));
        use(own, after, e);
        _exit(0);
    }
    child_must_pass(pid);
    _exit(0);
}

static void test(void)
{
    if (geteuid() != 0)
        SKIP("only root can become another user");
    for (int how = 0; how < 3; how++) {
        pid_t pid = fork_child();
        if (pid == 0)
            child(how);
        child_must_pass(pid);
    }
}
