// First data comes, then the end. An item that asks only for the end is queued behind an item that asks for the data.
// Limit: poll: files that are asked come in the order of looking, not in that of becoming ready
#include "harness.h"

// Without data the end wakes every item, the newest first. A later wakeup for data does not change this order.
static void ends(void (*pair)(int fd[2]), bool data_first)
{
    struct epoll_event ev[4];
    int fd[2], epfd = ep_new();
    pair(fd);
    int reader = fd[0], other = OK(dup(reader));
    OK(ep_add(epfd, other, EPOLLIN | EPOLLET));
    OK(ep_add(epfd, reader, EPOLLRDHUP)); // the newer item: told first of an event for both
    if (data_first)
        put(fd[1], "x");
    OK(close(fd[1]));
    until_polls(reader, POLLRDHUP);
    CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
    CHECK_EQ(ev[0].data.u64, data_first ? other : reader);
    CHECK_EQ(ev[1].data.u64, data_first ? reader : other);
    OK(close(other));
    OK(close(reader));
    OK(close(epfd));
}

static void test(void)
{
    ends(unix_stream, true);
    ends(tcp_pair, true);
    ends(unix_stream, false);
    ends(tcp_pair, false);
}
