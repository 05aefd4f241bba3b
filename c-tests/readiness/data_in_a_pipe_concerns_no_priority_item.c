// Data in a pipe wakes an item that asks for IN. An item that asks for PRI is queued only when the writer goes.
// Limit: poll: files that are asked come in the order of looking, not in that of becoming ready
#include "harness.h"

static void test(void)
{
    struct epoll_event ev[4];
    int epfd = ep_new(), a[2], b[2];
    pipe_pair(a);
    pipe_pair(b);
    OK(ep_add(epfd, a[0], EPOLLPRI | EPOLLET));
    OK(ep_add(epfd, b[0], EPOLLIN | EPOLLET));
    put(a[1], "x");
    put(b[1], "x");
    OK(close(a[1]));
    CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
    CHECK_EVENT(ev[0], b[0], EPOLLIN);
    CHECK_EVENT(ev[1], a[0], EPOLLHUP);
    OK(close(a[0]));
    close_pair(b);
    OK(close(epfd));
}
