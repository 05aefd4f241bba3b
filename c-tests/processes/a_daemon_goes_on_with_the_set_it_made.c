// A program makes a set, calls daemon(3), and serves from the set in the
// daemon. It serves files made before and after, level and edge. Standard input
// was watched; it is /dev/null in the daemon, and its item is gone.
// Source: daemon(3). Contract: 12, 36
#include "harness.h"

static void serve(int noclose, int back, int in)
{
    int epfd = ep_new(), p[2], fresh[2];
    struct waiter w;
    pipe_pair(p);
    OK(dup2(p[0], 0));
    OK(close(p[0]));
    OK(ep_add(epfd, in, EPOLLIN | EPOLLET));
    OK(ep_add(epfd, 0, EPOLLIN));
    put(p[1], "x");
    EXPECT_ONE(epfd, 0, EPOLLIN);
    pid_t launcher = getpid();
    OK(daemon(1, noclose));
    UNTIL(getppid() != launcher); // the launcher has the pipe open as well
    if (noclose) {
        EXPECT_ONE(epfd, 0, EPOLLIN);
        OK(ep_del(epfd, 0));
    }
    EXPECT_NOTHING(epfd); // fd 0 was the pipe, which is closed by now
    waiter_block(&w, epfd);
    put(back, "r");
    waiter_join_with(&w, in, EPOLLIN);
    unix_stream(fresh);
    OK(ep_add(epfd, fresh[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 3; i++) {
        put(fresh[1], "x");
        EXPECT_ONE(epfd, fresh[0], EPOLLIN);
    }
    put(back, "d");
    _exit(0);
}

static void test(void)
{
    for (int noclose = 0; noclose < 2; noclose++) {
        int back[2], in[2];
        char c;
        OK(pipe(back));
        unix_stream(in);
        pid_t pid = fork_child();
        if (pid == 0)
            serve(noclose, back[1], in[0]);
        child_must_pass(pid);
        OK(close(back[1])); // so that the read fails if the daemon has ended
        CHECK_EQ(read(back[0], &c, 1), 1);
        put(in[1], "x");
        CHECK_EQ(read(back[0], &c, 1), 1);
        CHECK_EQ(c, 'd');
        OK(close(back[0]));
        close_pair(in);
    }
}
