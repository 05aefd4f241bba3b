// A wait does not change the buffer behind the events that it returns. A wait
// that returns 0 writes nothing.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 5
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e[2] = {event_fd(), event_fd()};
    struct epoll_event ev[4], untouched[4];
    memset(untouched, 0x5a, sizeof untouched);
    memset(ev, 0x5a, sizeof ev);
    CHECK_EQ(epoll_wait(epfd, ev, 4, 1), 0);
    CHECK(!memcmp(ev, untouched, sizeof ev));
    OK(ep_add(epfd, e[0], EPOLLOUT));
    OK(ep_add(epfd, e[1], EPOLLOUT));
    CHECK_EQ(epoll_wait(epfd, ev, 4, 0), 2);
    CHECK(!memcmp(ev + 2, untouched, 2 * sizeof *ev));
    memset(ev, 0x5a, sizeof ev);
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 1);
    CHECK(!memcmp(ev + 1, untouched, 3 * sizeof *ev));
    close_pair(e);
    OK(close(epfd));
}
