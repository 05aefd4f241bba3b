// An event is queued but not delivered. If MOD stops asking for it, the event
// is dropped; if MOD asks again, it comes back.
// Source: Linux: fs/eventpoll.c:ep_modify. Contract: 14, 21
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    put(s[1], "x");
    OK(ep_mod(epfd, s[0], 0));
    EXPECT_NOTHING(epfd);
    put(s[1], "x");
    EXPECT_NOTHING(epfd);
    OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    close_pair(s);
    OK(close(epfd));
}
