// A level item that was delivered is queued again, behind the items that became ready meanwhile.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 18, 22
// Limit: hot: hot items come in the order of the list that is asked, not in that of becoming ready
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), a = event_fd(), b = event_fd(), c = event_fd();
    struct epoll_event ev[3];
    OK(ep_add(epfd, a, EPOLLIN));
    OK(ep_add(epfd, b, EPOLLIN));
    OK(ep_add(epfd, c, EPOLLIN));
    bump(a, 1);
    bump(b, 1);
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 1);
    CHECK_EVENT(ev[0], a, EPOLLIN);
    bump(c, 1);
    CHECK_EQ(epoll_wait(epfd, ev, 3, 0), 3);
    CHECK_EVENT(ev[0], b, EPOLLIN);
    CHECK_EVENT(ev[1], a, EPOLLIN);
    CHECK_EVENT(ev[2], c, EPOLLIN);
    OK(close(a));
    OK(close(b));
    OK(close(c));
    OK(close(epfd));
}
