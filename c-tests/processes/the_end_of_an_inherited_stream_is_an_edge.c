// A child inherited a stream and has not drained it. When the peer shuts down its half, an edge-triggered item reports
// once more, though it asks only for data.
#include "harness.h"

static void ends(int fd[2])
{
    int epfd = ep_new();
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
    put(fd[1], "ab");
    EXPECT_ONE(epfd, fd[0], EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    OK(shutdown(fd[1], SHUT_WR));
    EXPECT_ONE(epfd, fd[0], EPOLLIN);
    EXPECT_NOTHING(epfd);
    OK(close(epfd));
}

static void test(void)
{
    int fd[2], known = ep_new();
    for (int tcp = 0; tcp < 2; tcp++) {
        if (tcp)
            tcp_pair(fd);
        else
            unix_stream(fd);
        // The parent's set already has the stream, so the child's file is an inherited one.
        OK(ep_add(known, fd[0], EPOLLIN));
        pid_t child = fork_child();
        if (child == 0) {
            ends(fd);
            _exit(0);
        }
        child_must_pass(child);
        close_pair(fd);
    }
    OK(close(known));
}
