// dup2 and dup3 that fail leave the watched fd as it was.
// Source: dup(2). Contract: 12
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    CHECK_ERR(dup2(-1, s[0]), EBADF);
    CHECK_ERR(dup2(1 << 20, s[0]), EBADF);
    CHECK_ERR(dup3(s[1], s[0], O_NONBLOCK), EINVAL);
    CHECK_ERR(dup2(s[0], -1), EBADF);
    CHECK_ERR(fcntl(s[0], F_DUPFD, -1), EINVAL);
    CHECK_ERR(close(-1), EBADF);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    OK(ep_del(epfd, s[0]));
    close_pair(s);
    OK(close(epfd));
}
