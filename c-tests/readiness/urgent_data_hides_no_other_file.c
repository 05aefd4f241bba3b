// Urgent data wakes an edge-triggered item. An item that asks for IN alone gets
// no event from it, and takes no other file's turn. An item that asks for OUT
// as well reports once that there is room.
// Source: Linux: net/ipv4/tcp_input.c:tcp_urg. Contract: 19
// Limit: poll: urgent data is no edge of a file that is asked
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), in[2], out[2], level[2];
    struct epoll_event ev;
    tcp_pair(in);
    tcp_pair(out);
    tcp_pair(level);
    OK(ep_add(epfd, in[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, level[0], EPOLLOUT));
    EXPECT_ONE(epfd, level[0], EPOLLOUT);
    CHECK_EQ(send(in[1], "!", 1, MSG_OOB), 1);
    until_polls(in[0], POLLPRI);
    for (int n = 0; n < 4; n++) {
        CHECK_EQ(wait_events(epfd, &ev, 1, 0), 1);
        CHECK_EVENT(ev, level[0], EPOLLOUT);
    }
    OK(ep_del(epfd, in[0]));
    OK(ep_del(epfd, level[0]));

    OK(ep_add(epfd, out[0], EPOLLIN | EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, out[0], EPOLLOUT);
    CHECK_EQ(send(out[1], "!", 1, MSG_OOB), 1);
    until_polls(out[0], POLLPRI);
    EXPECT_ONE(epfd, out[0], EPOLLOUT);
    EXPECT_NOTHING(epfd);
    close_pair(in);
    close_pair(out);
    close_pair(level);
    OK(close(epfd));
}
