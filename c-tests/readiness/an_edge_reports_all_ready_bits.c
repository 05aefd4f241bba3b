// Data to read wakes the item. The event has every ready bit that was asked
// for, not only IN.
// Source: Linux: fs/eventpoll.c:ep_item_poll. Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), u[2], t[2];
    unix_stream(u);
    tcp_pair(t);
    int near[] = {u[0], t[0]}, far[] = {u[1], t[1]};
    for (int i = 0; i < 2; i++) {
        OK(ep_add(epfd, near[i], EPOLLIN | EPOLLOUT | EPOLLET));
        EXPECT_ONE(epfd, near[i], EPOLLOUT);
        EXPECT_NOTHING(epfd);
        put(far[i], "x");
        EXPECT_ONE(epfd, near[i], EPOLLIN | EPOLLOUT);
        OK(ep_mod(epfd, near[i], EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM));
        EXPECT_ONE(epfd, near[i],
                   EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM);
        OK(ep_del(epfd, near[i]));
    }
    close_pair(u);
    close_pair(t);
    OK(close(epfd));
}
