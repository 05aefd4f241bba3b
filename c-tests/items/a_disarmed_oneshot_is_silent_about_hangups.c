// A disarmed ONESHOT item does not report even HUP and ERR; after MOD it does.
// Source: Linux: fs/eventpoll.c:EP_PRIVATE_BITS. Contract: 15
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], p[2];
    unix_stream(s);
    pipe_pair(p);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLONESHOT));
    OK(ep_add(epfd, p[1], EPOLLOUT | EPOLLONESHOT));
    EXPECT_ONE(epfd, p[1], EPOLLOUT);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    OK(close(s[1]));
    OK(close(p[0]));
    EXPECT_NOTHING(epfd);
    OK(ep_mod(epfd, s[0], EPOLLONESHOT));
    EXPECT_ONE(epfd, s[0], EPOLLHUP);
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_mod(epfd, p[1], EPOLLONESHOT));
    EXPECT_ONE(epfd, p[1], EPOLLERR);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(s[0]));
    OK(close(p[1]));
    OK(close(epfd));
}
