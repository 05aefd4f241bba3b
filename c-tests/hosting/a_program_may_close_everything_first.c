// At its start a program closes each fd from 3 to 1023, and then all others
// with close_range. It can use epoll after that, close everything once more, as
// daemons do, and use epoll again.
// Source: daemon(7). Contract: 1, 12
#include "harness.h"

static void use(void)
{
    int epfd = ep_new(), s[2], e;
    struct waiter w;
    unix_stream(s);
    e = event_fd();
    CHECK_EQ(epfd, 3);
    CHECK_EQ(e, 6);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, e, EPOLLIN));
    for (int i = 0; i < 5; i++) {
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    waiter_block(&w, epfd);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
}

static void test(void)
{
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    pid_t pid = fork_child();
    if (pid == 0) {
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        use();
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        use();
        OK(close_range(3, ~0U, 0));
        use();
        closefrom(3);
        use();
        for (int fd = 3; fd < (int)limit.rlim_cur && fd < 100000; fd++)
            close(fd);
        use();
        _exit(0);
    }
    child_must_pass(pid);
}
