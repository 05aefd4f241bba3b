// A child closes its copies of the watched files and of the set, then ends. The
// parent's set works on, level and edge, and a waiter sleeps on.
// Source: fork(2), close(2). Contract: 12, 36
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], t[2], p[2], e = event_fd();
    struct waiter w;
    unix_stream(s);
    tcp_pair(t);
    pipe_pair(p);
    int in[] = {s[0], t[0], p[0], e}, out[] = {s[1], t[1], p[1], e};
    for (int i = 0; i < 4; i++)
        OK(ep_add(epfd, in[i], EPOLLIN | EPOLLET));
    waiter_block(&w, epfd);
    for (int how = 0; how < 3; how++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            if (how == 0)
                OK(close_range(3, ~0U, 0));
            for (int i = 0; i < 4 && how == 1; i++)
                OK(close(in[i]));
            if (how == 1)
                OK(close(epfd));
            _exit(0); // how == 2: the exit closes them
        }
        child_must_pass(pid);
        sleep_ms(20);
        CHECK(!w.done);
    }
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    drain(s[0]);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 4; i++) {
            bump(out[i], 1);
            EXPECT_ONE(epfd, in[i], EPOLLIN);
            EXPECT_NOTHING_NOW(epfd);
        }
    close_pair(s);
    close_pair(t);
    close_pair(p);
    OK(close(e));
    OK(close(epfd));
}
