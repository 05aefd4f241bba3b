// A child inherits a datagram socket that was shut down for reading, so the socket is always readable. Reading from it,
// again and again, makes no further edge.
#include "harness.h"

static void reads(int fd[2])
{
    int epfd = ep_new();
    OK(shutdown(fd[0], SHUT_RD));
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, fd[0], EPOLLIN);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(drain(fd[0]), 0);
        EXPECT_NOTHING_NOW(epfd);
    }
    EXPECT_NOTHING(epfd);
    OK(close(epfd));
}

static void test(void)
{
    int fd[2], known = ep_new();
    for (int udp = 0; udp < 2; udp++) {
        if (udp)
            udp_pair(fd);
        else
            OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd));
        // The parent's set already has the socket, so the child's file is an inherited one.
        OK(ep_add(known, fd[0], EPOLLIN));
        pid_t child = fork_child();
        if (child == 0) {
            reads(fd);
            _exit(0);
        }
        child_must_pass(child);
        close_pair(fd);
    }
    OK(close(known));
}
