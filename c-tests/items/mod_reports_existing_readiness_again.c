// MOD checks the file again: an item that is ready is reported again, also an
// edge-triggered one and a disarmed ONESHOT one.
// Source: Linux: fs/eventpoll.c:ep_modify. Contract: 14
#include "harness.h"

static void test(void)
{
    uint32_t masks[] = {EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT,
                        EPOLLIN | EPOLLET | EPOLLONESHOT};
    for (int i = 0; i < 3; i++) {
        int epfd = ep_new(), s[2], e = event_fd();
        unix_stream(s);
        OK(ep_add(epfd, s[0], masks[i]));
        OK(ep_add(epfd, e, masks[i]));
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        bump(e, 1);
        EXPECT_ONE(epfd, e, EPOLLIN);
        for (int round = 0; round < 3; round++) {
            EXPECT_NOTHING_NOW(epfd);
            OK(ep_mod(epfd, s[0], masks[i]));
            EXPECT_ONE(epfd, s[0], EPOLLIN);
            OK(ep_mod(epfd, e, masks[i]));
            EXPECT_ONE(epfd, e, EPOLLIN);
        }
        // The new mask decides, not the old one.
        OK(ep_mod(epfd, s[0], EPOLLOUT | EPOLLET));
        EXPECT_ONE(epfd, s[0], EPOLLOUT);
        EXPECT_NOTHING_NOW(epfd);
        drain(s[0]);
        OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLET));
        EXPECT_NOTHING_NOW(epfd);
        close_pair(s);
        OK(close(e));
        OK(close(epfd));
    }
}
