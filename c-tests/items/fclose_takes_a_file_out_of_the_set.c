// fclose or freopen of a stream over a watched fd, and pclose, close the fd as
// close does: the item goes, and the fd can be used again.
// Source: fclose(3). Contract: 12, 13
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], b[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    drain(s[0]);
    FILE *stream = fdopen(s[0], "r+");
    CHECK(stream);
    CHECK_EQ(fclose(stream), 0);
    EXPECT_NOTHING(epfd);
    until_polls(s[1], POLLHUP);
    CHECK_EQ(dup2(s[1], s[0]), s[0]);
    CHECK_ERR(ep_del(epfd, s[0]), ENOENT);
    OK(ep_add(epfd, s[0], EPOLLIN));
    EXPECT_ONE(epfd, s[0], EPOLLIN | EPOLLHUP);
    close_pair(s);
    EXPECT_NOTHING(epfd);

    stream = popen("cat", "w");
    CHECK(stream);
    OK(ep_add(epfd, fileno(stream), EPOLLOUT));
    EXPECT_ONE(epfd, fileno(stream), EPOLLOUT);
    CHECK_EQ(pclose(stream), 0);
    EXPECT_NOTHING_NOW(epfd);

    unix_stream(b);
    stream = fdopen(b[0], "r+");
    CHECK(stream);
    OK(ep_add(epfd, b[0], EPOLLOUT));
    stream = freopen("/dev/null", "r", stream);
    CHECK(stream);
    EXPECT_NOTHING_NOW(epfd);
    until_polls(b[1], POLLHUP);
    CHECK_EQ(fclose(stream), 0);
    OK(close(b[1]));
    OK(close(epfd));
}
