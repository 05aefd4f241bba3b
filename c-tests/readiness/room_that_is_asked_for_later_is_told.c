// An item asks for EPOLLIN alone. MOD then adds EPOLLOUT, before or after the
// file was filled. The item reports the room when the peer reads.
// Source: epoll_ctl(2), EPOLL_CTL_MOD. Contract: 14, 18, 19
#include "harness.h"

static void test(void)
{
    for (int i = 0; i < 24; i++) {
        const int kind = i / 8;
        const uint32_t more = (i & 1 ? EPOLLET : 0) | (i & 2 ? EPOLLONESHOT : 0);
        const bool before = i & 4;
        int epfd = ep_new(), s[2];
        long total;
        if (kind == 0)
            tcp_pair(s);
        else if (kind == 1)
            unix_stream(s);
        else
            OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
        OK(ep_add(epfd, s[0], EPOLLIN | more));
        EXPECT_NOTHING_NOW(epfd);
        if (before) {
            OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLOUT | more));
            EXPECT_ONE(epfd, s[0], EPOLLOUT);
        }
        total = fill(s[0]);
        if (!before || more & EPOLLONESHOT)
            OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLOUT | more));
        EXPECT_NOTHING_NOW(epfd);
        if (kind == 2)
            while (read(s[1], (char[65536]){0}, 65536) > 0)
                ;
        else
            drain_exactly(s[1], total);
        EXPECT_ONE(epfd, s[0], EPOLLOUT);
        OK(ep_mod(epfd, s[0], EPOLLIN | more));
        EXPECT_NOTHING_NOW(epfd);
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        close_pair(s);
        OK(close(epfd));
    }
}
