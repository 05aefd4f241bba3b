// Once no reader is left, the write end reports ERR, and OUT if it has room.
// Source: pipe(7); Linux: fs/pipe.c:pipe_poll. Contract: 24
#include "harness.h"

static void test(void)
{
    for (int full = 0; full < 2; full++)
        for (int edge = 0; edge < 2; edge++) {
            int epfd = ep_new(), p[2];
            pipe_pair(p);
            int reader = OK(dup(p[0]));
            OK(ep_add(epfd, p[1], EPOLLOUT | (edge ? EPOLLET : 0)));
            EXPECT_ONE(epfd, p[1], EPOLLOUT);
            if (full)
                fill(p[1]);
            OK(close(p[0]));
            if (edge || full)
                EXPECT_NOTHING(epfd);
            OK(close(reader));
            EXPECT_ONE(epfd, p[1], EPOLLERR | (full ? 0 : EPOLLOUT));
            if (edge)
                EXPECT_NOTHING(epfd);
            OK(close(p[1]));
            OK(close(epfd));
        }
}
