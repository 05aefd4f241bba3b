// Adding a file that is ready wakes a wait in progress, on an empty set and on
// a set with idle files.
// Source: Linux: fs/eventpoll.c:ep_insert. Contract: 14
#include "harness.h"

static void test(void)
{
    for (int idle = 0; idle < 2; idle++) {
        int epfd = ep_new(), e = event_fd(), s[2], quiet[2];
        struct waiter w;
        unix_stream(s);
        unix_stream(quiet);
        if (idle)
            OK(ep_add(epfd, quiet[0], EPOLLIN));
        waiter_block(&w, epfd);
        OK(ep_add(epfd, e, EPOLLOUT | EPOLLET));
        waiter_join_with(&w, e, EPOLLOUT);
        put(s[1], "x");
        waiter_block(&w, epfd);
        OK(ep_add(epfd, s[0], EPOLLIN));
        waiter_join_with(&w, s[0], EPOLLIN);
        close_pair(s);
        close_pair(quiet);
        OK(close(e));
        OK(close(epfd));
    }
}
