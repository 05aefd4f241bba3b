// The send buffer of a unix stream was full and has been drained: this is a new
// OUT edge, though no wait ever saw it full.
// Source: epoll(7), Q9; Linux: net/unix/af_unix.c:unix_write_space.
// Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, s[0], EPOLLOUT);
    EXPECT_NOTHING(epfd);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(fill(s[0]), drain(s[1]));
        EXPECT_ONE(epfd, s[0], EPOLLOUT);
        EXPECT_NOTHING(epfd);
    }
    close_pair(s);
    OK(close(epfd));
}
