// A watched fd is closed while a dup is open: the item goes on reporting. No fd
// names the item any more: for the old fd epoll_ctl says EBADF, for the dup
// ENOENT. The close of the dup ends the item.
// Source: epoll(7), Q6. Contract: 12
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++)
        for (int before = 0; before < 2; before++) {
            int epfd = ep_new(), s[2], twin = -1;
            const uint32_t mask = EPOLLIN | (edge ? EPOLLET : 0);
            unix_stream(s);
            if (before)
                twin = OK(dup(s[0]));
            OK(ep_add(epfd, s[0], mask));
            if (!before)
                twin = OK(dup(s[0]));
            put(s[1], "x");
            OK(close(s[0]));
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            CHECK_ERR(ep_del(epfd, s[0]), EBADF);
            CHECK_ERR(ep_mod(epfd, s[0], mask), EBADF);
            CHECK_ERR(ep_del(epfd, twin), ENOENT);
            CHECK_ERR(ep_mod(epfd, twin, mask), ENOENT);
            CHECK_EQ(drain(twin), 1);
            EXPECT_NOTHING_NOW(epfd);
            for (int i = 0; i < 3; i++) {
                put(s[1], "x");
                EXPECT_ONE(epfd, s[0], EPOLLIN);
            }
            OK(close(twin));
            EXPECT_NOTHING(epfd);
            OK(close(s[1]));
            OK(close(epfd));
        }
}
