// A forked child closes and redirects watched fds before it uses the set. A
// file that is still open under another fd wakes the child, with the data of
// its item. A new file under an old fd is a file of its own.
// Source: fork(2), dup2(2), epoll(7). Contract: 12, 36
#include "harness.h"

static void in_child(int epfd, int a[2], int b[2], int c[2], bool deep)
{
    if (deep) {
        // A grandchild, as daemons make one.
        pid_t pid = fork_child();
        if (pid != 0) {
            child_must_pass(pid);
            _exit(0);
        }
    }
    int moved = OK(dup(a[0])), spare = OK(open("/dev/null", O_RDONLY));
    OK(close(a[0]));             // the file lives on under `moved`
    OK(dup2(spare, b[0]));       // the parent still has the file open
    OK(dup2(c[0], spare));       // c[0]'s file has two fds now
    OK(close(c[0]));
    OK(ep_add(epfd, moved, EPOLLIN | EPOLLONESHOT));
    bump(a[1], 1);
    struct epoll_event ev[4];
    int n = wait_events(epfd, ev, 4, WAIT_MS), sum = 0;
    CHECK_EQ(n, 2);
    for (int i = 0; i < n; i++)
        sum += ev[i].data.u64;
    CHECK_EQ(sum, a[0] + moved);
    drain(moved);
    // A set of the child's own, with the child's own file under an inherited
    // fd.
    int own = ep_new();
    int fresh[2];
    pipe_pair(fresh);
    OK(dup2(fresh[0], c[0] == fresh[0] ? spare : c[0]));
    OK(ep_add(own, fresh[0], EPOLLIN | EPOLLET));
    bump(fresh[1], 1);
    EXPECT_ONE(own, fresh[0], EPOLLIN);
    EXPECT_NOTHING_NOW(own);
    _exit(0);
}

static void test(void)
{
    for (int deep = 0; deep < 2; deep++) {
        int epfd = ep_new(), a[2], b[2], c[2];
        unix_stream(a);
        unix_stream(b);
        unix_stream(c);
        OK(ep_add(epfd, a[0], EPOLLIN));
        OK(ep_add(epfd, b[0], EPOLLIN | EPOLLET));
        OK(ep_add(epfd, c[0], EPOLLIN));
        EXPECT_NOTHING_NOW(epfd);
        pid_t pid = fork_child();
        if (pid == 0)
            in_child(epfd, a, b, c, deep);
        child_must_pass(pid);
        // The child's items are gone with its fds; the parent's items go on.
        bump(b[1], 1);
        EXPECT_ONE(epfd, b[0], EPOLLIN);
        drain(b[0]);
        bump(c[1], 1);
        EXPECT_ONE(epfd, c[0], EPOLLIN);
        drain(c[0]);
        close_pair(a);
        close_pair(b);
        close_pair(c);
        OK(close(epfd));
    }
}
