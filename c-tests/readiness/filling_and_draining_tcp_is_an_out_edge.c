// The send buffer of a TCP socket was full and has been drained: this is a new
// OUT edge, though no wait ever saw it full.
// Source: epoll(7), Q9; Linux: net/core/stream.c:sk_stream_write_space.
// Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), t[2];
    tcp_pair(t);
    OK(ep_add(epfd, t[0], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, t[0], EPOLLOUT);
    EXPECT_NOTHING(epfd);
    for (int round = 0; round < 3; round++) {
        drain_exactly(t[1], fill(t[0]));
        // Several acknowledgements may make several edges: at least one.
        EXPECT_ONE(epfd, t[0], EPOLLOUT);
        struct epoll_event ev[1];
        while (wait_events(epfd, ev, 1, QUIET_MS))
            CHECK_EVENT(ev[0], t[0], EPOLLOUT);
    }
    close_pair(t);
    OK(close(epfd));
}
