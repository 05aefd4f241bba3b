// A file that is already ready when it is added is reported after the files that became ready before.
// Limit: poll: files that are asked come in the order of looking, not in that of becoming ready
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), first[2], second[2];
    udp_pair(first);
    udp_pair(second);
    put(second[1], "ready");
    OK(ep_add(epfd, first[0], EPOLLIN));
    put(first[1], "ready");
    until_polls(first[0], POLLIN);
    until_polls(second[0], POLLIN);
    OK(ep_add(epfd, second[0], EPOLLIN));
    struct epoll_event ev[2];
    CHECK_EQ(wait_events(epfd, ev, 2, 0), 2);
    CHECK_EQ(ev[0].data.u64, first[0]);
    CHECK_EQ(ev[1].data.u64, second[0]);
    close_pair(first);
    close_pair(second);
    OK(close(epfd));
}
