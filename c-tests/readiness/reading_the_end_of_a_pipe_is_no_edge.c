// When the last writer of a pipe closes, this is one HUP edge. Reading the end of the pipe, again and again, makes no
// other edge. The pipe is made here or inherited.
#include "harness.h"

static void reads(int p[2])
{
    int epfd = ep_new();
    OK(ep_add(epfd, p[0], EPOLLIN | EPOLLRDHUP | EPOLLET));
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(write(p[1], "ab", 2), 2);
    OK(close(p[1]));
    EXPECT_ONE(epfd, p[0], EPOLLIN | EPOLLHUP);
    char byte;
    CHECK_EQ(read(p[0], &byte, 1), 1);
    EXPECT_NOTHING_NOW(epfd);
    CHECK_EQ(read(p[0], &byte, 1), 1);
    EXPECT_NOTHING_NOW(epfd);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(read(p[0], &byte, 1), 0);
        EXPECT_NOTHING_NOW(epfd);
    }
    EXPECT_NOTHING(epfd);
    OK(close(epfd));
    OK(close(p[0]));
}

static void test(void)
{
    int p[2], known = ep_new();
    OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    // The parent's set already has the pipe, so the child's pipe is an inherited one.
    OK(ep_add(known, p[0], EPOLLIN));
    OK(ep_add(known, p[1], EPOLLOUT));
    int go[2];
    OK(pipe2(go, O_CLOEXEC));
    pid_t child = OK(fork());
    if (child == 0) {
        char byte;
        CHECK_EQ(read(go[0], &byte, 1), 1);
        reads(p);
        _exit(0);
    }
    OK(close(p[0]));
    OK(close(p[1]));
    CHECK_EQ(write(go[1], "x", 1), 1);
    int status;
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 0);
    OK(close(go[0]));
    OK(close(go[1]));
    OK(close(known));
    OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    reads(p);
}
