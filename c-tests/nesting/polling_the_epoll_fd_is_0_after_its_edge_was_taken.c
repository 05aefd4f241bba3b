// poll on the epoll fd reports it ready as long as a level item is ready. For
// an edge item, only until a wait has taken its event, though its data remains.
// Source: Linux: fs/eventpoll.c:__ep_eventpoll_poll. Contract: 33
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd = ep_new(), s[2];
        struct pollfd p = {epfd, POLLIN, 0};
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
        CHECK_EQ(poll(&p, 1, 0), 0);
        put(s[1], "x");
        CHECK_EQ(poll(&p, 1, 0), 1);
        CHECK_EQ(poll(&p, 1, -1), 1); // poll takes no event
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(poll(&p, 1, QUIET_MS), !edge);
        put(s[1], "x");
        CHECK_EQ(poll(&p, 1, 0), 1);
        drain(s[0]);
        CHECK_EQ(poll(&p, 1, 0), 0);
        close_pair(s);
        OK(close(epfd));
    }
}
