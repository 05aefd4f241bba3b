// The peer of a unix stream has closed: HUP is always reported, and IN, RDHUP
// and OUT if asked for. Level and edge.
// Source: Linux: net/unix/af_unix.c:unix_poll. Contract: 15
#include "harness.h"

static void test(void)
{
    uint32_t asked[] = {EPOLLIN, EPOLLIN | EPOLLRDHUP,
                        EPOLLIN | EPOLLRDHUP | EPOLLOUT, EPOLLOUT, EPOLLPRI};
    for (int i = 0; i < 5; i++)
        for (int edge = 0; edge < 2; edge++) {
            int epfd = ep_new(), s[2];
            unix_stream(s);
            OK(ep_add(epfd, s[0], asked[i] | (edge ? EPOLLET : 0)));
            if (asked[i] & EPOLLOUT)
                EXPECT_ONE(epfd, s[0], EPOLLOUT);
            else
                EXPECT_NOTHING_NOW(epfd);
            OK(close(s[1]));
            EXPECT_ONE(epfd, s[0], (asked[i] & ~EPOLLPRI) | EPOLLHUP);
            if (edge)
                EXPECT_NOTHING_NOW(epfd);
            else
                EXPECT_ONE(epfd, s[0], (asked[i] & ~EPOLLPRI) | EPOLLHUP);
            OK(close(s[0]));
            OK(close(epfd));
        }
}
