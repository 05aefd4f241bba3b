// Several processes wait, each on its own set, for one inherited file. A write
// wakes all of them, level and edge.
// Source: epoll(7), Q2. Contract: 36
#include "harness.h"

enum { CHILDREN = 4 };

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int s[2];
        pid_t pid[CHILDREN];
        unix_stream(s);
        for (int i = 0; i < CHILDREN; i++) {
            pid[i] = fork_child();
            if (pid[i] == 0) {
                int epfd = ep_new();
                OK(ep_add(epfd, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
                EXPECT_ONE(epfd, s[0], EPOLLIN);
                _exit(0);
            }
        }
        for (int i = 0; i < CHILDREN; i++)
            until_asleep(pid[i]);
        put(s[1], "x");
        for (int i = 0; i < CHILDREN; i++)
            child_must_pass(pid[i]);
        close_pair(s);
    }
}
