// Many level-triggered items are always ready, and a wait has room for exactly these. There is one more ready item, of
// another kind: at least every second wait reports it.
// Source: epoll_wait(2), "round robin"; Linux: fs/eventpoll.c:ep_send_events. Contract: 11
#include "harness.h"

static void check(int many)
{
    int epfd = ep_new(), s[6][2], one = ep_new(), e = event_fd();
    struct epoll_event ev[6];
    for (int n = 0; n < many; n++) {
        tcp_pair(s[n]);
        put(s[n][1], "x");
        until_polls(s[n][0], POLLIN);
        OK(ep_add(epfd, s[n][0], EPOLLIN));
    }
    // The set is busy for a while. Then an item is added that no wait has polled before.
    for (int n = 0; n < 50; n++)
        CHECK_EQ(epoll_wait(epfd, ev, many, WAIT_MS), many);
    bump(e, 1);
    OK(ep_add(one, e, EPOLLIN));
    OK(ep_add(epfd, one, EPOLLIN));
    int since = 0;
    for (int n = 0; n < 50; n++) {
        CHECK_EQ(epoll_wait(epfd, ev, many, WAIT_MS), many);
        bool seen = false;
        for (int at = 0; at < many; at++)
            seen |= ev[at].data.fd == one;
        since = seen ? 0 : since + 1;
        if (since > 1)
            FAIL("beside %d others it was not reported by %d waits", many, since);
    }
    for (int n = 0; n < many; n++)
        close_pair(s[n]);
    OK(close(one));
    OK(close(e));
    OK(close(epfd));
}

static void test(void)
{
    for (int many = 1; many <= 6; many++)
        check(many);
}
