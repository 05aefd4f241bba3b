// A forked child sets and clears O_NONBLOCK on a socket that its parent
// watches. The flags belong to the file that both share. The parent's items
// report as before.
// Source: fcntl(2), F_SETFL. Contract: 36
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), s[2];
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
        OK(ep_add(epfd, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
        for (int flag = O_NONBLOCK; flag >= 0; flag -= O_NONBLOCK) {
            struct waiter w;
            char c;
            pid_t pid = fork_child();
            if (pid == 0) {
                OK(fcntl(s[0], F_SETFL, flag));
                _exit(0);
            }
            child_must_pass(pid);
            CHECK_EQ(OK(fcntl(s[0], F_GETFL)) & O_NONBLOCK, flag);
            waiter_block(&w, epfd);
            pid = fork_child();
            if (pid == 0) {
                put(s[1], "x");
                _exit(0);
            }
            waiter_join_with(&w, s[0], EPOLLIN);
            child_must_pass(pid);
            CHECK_EQ(read(s[0], &c, 1), 1);
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(s);
        OK(close(epfd));
    }
}
