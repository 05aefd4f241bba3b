// Level-triggered OUT is reported while there is room to write, not while the
// buffer is full, and again once the buffer is drained. TCP, unix stream, pipe.
// Source: epoll(7). Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), u[2], t[2], p[2];
    unix_stream(u);
    tcp_pair(t);
    pipe_pair(p);
    int to[] = {u[0], t[0], p[1]}, from[] = {u[1], t[1], p[0]};
    for (int i = 0; i < 3; i++) {
        struct waiter w;
        OK(ep_add(epfd, to[i], EPOLLOUT));
        EXPECT_ONE(epfd, to[i], EPOLLOUT);
        EXPECT_ONE(epfd, to[i], EPOLLOUT);
        // TCP may still move data to the peer and make room, so this fills
        // until nothing changes.
        long total = fill(to[i]);
        struct epoll_event ev[1];
        while (wait_events(epfd, ev, 1, QUIET_MS))
            total += fill(to[i]);
        waiter_block(&w, epfd);
        drain_exactly(from[i], total);
        waiter_join_with(&w, to[i], EPOLLOUT);
        EXPECT_ONE(epfd, to[i], EPOLLOUT);
        OK(ep_del(epfd, to[i]));
    }
    close_pair(u);
    close_pair(t);
    close_pair(p);
    OK(close(epfd));
}
