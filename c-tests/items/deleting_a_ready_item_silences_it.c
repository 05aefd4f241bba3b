// DEL drops the item's pending event and keeps those of other items.
// Source: Linux: fs/eventpoll.c:__ep_remove. Contract: 12
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), a[2], b[2];
    unix_stream(a);
    unix_stream(b);
    OK(ep_add(epfd, a[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, b[0], EPOLLIN | EPOLLET));
    put(a[1], "x");
    put(b[1], "x");
    OK(ep_del(epfd, a[0]));
    put(a[1], "x");
    EXPECT_ONE(epfd, b[0], EPOLLIN);
    EXPECT_NOTHING(epfd);
    close_pair(a);
    close_pair(b);
    OK(close(epfd));
}
