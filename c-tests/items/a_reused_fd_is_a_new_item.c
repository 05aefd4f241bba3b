// An fd is closed and given to another file: it can be added. Before that, MOD
// and DEL are ENOENT.
// Source: Linux: fs/eventpoll.c:ep_find. Contract: 13
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), a[2], b[2];
    unix_stream(a);
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, a[0], EPOLLIN | EPOLLET, 1));
    for (int round = 2; round < 6; round++) {
        put(a[1], "x");
        close_pair(a);
        unix_stream(b);
        CHECK_EQ(b[0], a[0]);
        CHECK_ERR(ep_mod(epfd, b[0], EPOLLIN), ENOENT);
        CHECK_ERR(ep_del(epfd, b[0]), ENOENT);
        put(b[1], "x");
        EXPECT_NOTHING(epfd); // nothing of the old item fits the new file
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, b[0], EPOLLIN | EPOLLET, round));
        EXPECT_ONE(epfd, round, EPOLLIN);
        memcpy(a, b, sizeof a);
    }
    close_pair(a);
    OK(close(epfd));
}
