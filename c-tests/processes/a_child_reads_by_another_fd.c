// A child reads an inherited file by an fd other than the one in the set. Data
// that comes then is an edge.
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), fd[2];
    char c;
    unix_stream(fd);
    int other = OK(dup(fd[0]));
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
    pid_t child = OK(fork());
    if (child == 0) {
        CHECK_EQ(write(fd[1], "a", 1), 1);
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        CHECK_EQ(read(other, &c, 1), 1);
        CHECK_EQ(write(fd[1], "b", 1), 1);
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        _exit(0);
    }
    int status;
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 0);
    close_pair(fd);
    OK(close(other));
    OK(close(epfd));
}
