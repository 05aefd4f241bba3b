// An item became ready and was drained before the wait: it is not reported,
// level or edge, and poll on the epoll fd agrees.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 21
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), u[2], p[2], e = event_fd();
        const uint32_t mask = EPOLLIN | (edge ? EPOLLET : 0);
        unix_stream(u);
        pipe_pair(p);
        OK(ep_add(epfd, u[0], mask));
        OK(ep_add(epfd, p[0], mask));
        OK(ep_add(epfd, e, mask));
        put(u[1], "x");
        put(p[1], "x");
        bump(e, 1);
        struct pollfd poll_fd = {epfd, POLLIN, 0};
        CHECK_EQ(poll(&poll_fd, 1, 0), 1);
        drain(u[0]);
        drain(p[0]);
        CHECK_EQ(poll(&poll_fd, 1, 0), 1);
        drain(e);
        CHECK_EQ(poll(&poll_fd, 1, 0), 0);
        EXPECT_NOTHING(epfd);
        put(u[1], "x");
        EXPECT_ONE(epfd, u[0], mask & ~EPOLLET);
        close_pair(u);
        close_pair(p);
        OK(close(e));
        OK(close(epfd));
    }
}
