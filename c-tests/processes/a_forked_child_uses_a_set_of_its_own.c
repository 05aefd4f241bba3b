// A child makes a new set and uses it while the parent uses its own. Neither
// set affects the other.
// Source: fork(2). Contract: 36
#include "harness.h"

static void use(int epfd, int s[2], int rounds)
{
    struct waiter w;
    for (int i = 0; i < rounds; i++) {
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
        drain(s[0]);
    }
    waiter_block(&w, epfd);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    drain(s[0]);
}

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    use(epfd, s, 5);
    pid_t pid = fork_child();
    if (pid == 0) {
        int own = ep_new(), t[2];
        unix_stream(t);
        OK(ep_add(own, t[0], EPOLLIN | EPOLLET));
        use(own, t, 200);
        // The same in a grandchild.
        pid_t grandchild = fork_child();
        if (grandchild == 0) {
            int third = ep_new();
            OK(ep_add(third, t[0], EPOLLIN | EPOLLET));
            use(third, t, 20);
            _exit(0);
        }
        child_must_pass(grandchild);
        _exit(0);
    }
    use(epfd, s, 200);
    child_must_pass(pid);
    use(epfd, s, 5);
    close_pair(s);
    OK(close(epfd));
}
