// A read of a part of the data is no edge, even if many earlier reads have read
// everything.
// Source: epoll(7), the 2 kB example. Contract: 19
#include "harness.h"

static void reads(int in, int out)
{
    int epfd = ep_new();
    char buf[4];
    OK(ep_add(epfd, in, EPOLLIN | EPOLLET));
    for (int i = 0; i < 40; i++) {
        put(out, "01234567");
        EXPECT_ONE(epfd, in, EPOLLIN);
        CHECK_EQ(drain(in), 8);
        EXPECT_NOTHING_NOW(epfd);
    }
    for (int i = 0; i < 3; i++) {
        put(out, "01234567");
        EXPECT_ONE(epfd, in, EPOLLIN);
        CHECK_EQ(read(in, buf, sizeof buf), 4);
        EXPECT_NOTHING_NOW(epfd);
        EXPECT_NOTHING(epfd);
        put(out, "89");
        EXPECT_ONE(epfd, in, EPOLLIN);
        CHECK_EQ(drain(in), 6);
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(close(epfd));
}

static void test(void)
{
    int u[2], p[2];
    unix_stream(u);
    pipe_pair(p);
    reads(u[0], u[1]);
    reads(p[0], p[1]);
    close_pair(u);
    close_pair(p);
}
