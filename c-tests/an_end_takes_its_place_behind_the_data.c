// Data came, then the end: an item that waits for the end alone is queued
// behind one that waited for the data.
#include "harness.h"

static void in_order(int reader, int writer)
{
    struct epoll_event ev[4];
    int epfd = ep_new(), other = OK(dup(reader));
    OK(ep_add(epfd, other, EPOLLIN | EPOLLET));
    OK(ep_add(epfd, reader, EPOLLRDHUP)); // newer, so told first of what concerns both
    put(writer, "x");
    OK(close(writer));
    until_polls(reader, POLLRDHUP);
    CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
    CHECK_EQ(ev[0].data.u64, other);
    CHECK_EQ(ev[1].data.u64, reader);
    OK(close(other));
    OK(close(reader));
    OK(close(epfd));
}

// The end wakes every item, the newest first, and what it says of data after
// that changes nothing.
static void at_once(int reader, int writer)
{
    struct epoll_event ev[4];
    int epfd = ep_new(), other = OK(dup(reader));
    OK(ep_add(epfd, other, EPOLLIN | EPOLLET));
    OK(ep_add(epfd, reader, EPOLLRDHUP));
    OK(close(writer));
    until_polls(reader, POLLRDHUP);
    CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
    CHECK_EQ(ev[0].data.u64, reader);
    CHECK_EQ(ev[1].data.u64, other);
    OK(close(other));
    OK(close(reader));
    OK(close(epfd));
}

static void test(void)
{
    int fd[2];
    unix_stream(fd);
    in_order(fd[0], fd[1]);
    tcp_pair(fd);
    in_order(fd[0], fd[1]);
    unix_stream(fd);
    at_once(fd[0], fd[1]);
    tcp_pair(fd);
    at_once(fd[0], fd[1]);
}
