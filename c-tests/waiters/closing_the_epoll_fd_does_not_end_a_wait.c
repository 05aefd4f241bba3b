// A wait in progress holds the set: closing the epoll fd neither ends the wait
// nor keeps it from returning the next event.
// Source: Linux: fs/eventpoll.c:do_epoll_wait (fdget). Contract: 28
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2];
    struct waiter w;
    struct epoll_event ev[1];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    waiter_block(&w, epfd);
    OK(close(epfd));
    CHECK_ERR(epoll_wait(epfd, ev, 1, 0), EBADF);
    sleep_ms(QUIET_MS);
    CHECK(!w.done);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    close_pair(s);
}
