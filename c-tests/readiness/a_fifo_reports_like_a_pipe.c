// A FIFO opened by name reports nothing before its first writer, IN with data,
// HUP when the last writer has gone, and nothing again with a new writer.
// Source: fifo(7). Contract: 24
#include "harness.h"

static void test(void)
{
    char dir[] = "/tmp/fifo-XXXXXX", name[64];
    CHECK(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/f", dir);
    OK(mkfifo(name, 0600));
    int epfd = ep_new(), r = OK(open(name, O_RDONLY | O_NONBLOCK));
    OK(ep_add(epfd, r, EPOLLIN | EPOLLET));
    EXPECT_NOTHING_NOW(epfd);
    for (int round = 0; round < 2; round++) {
        int w = OK(open(name, O_WRONLY | O_NONBLOCK));
        EXPECT_NOTHING(epfd);
        put(w, "x");
        EXPECT_ONE(epfd, r, EPOLLIN);
        put(w, "x");
        EXPECT_ONE(epfd, r, EPOLLIN);
        CHECK_EQ(drain(r), 2);
        OK(close(w));
        EXPECT_ONE(epfd, r, EPOLLHUP);
        EXPECT_NOTHING(epfd);
    }
    OK(unlink(name));
    OK(rmdir(dir));
    OK(close(r));
    OK(close(epfd));
}
