// A set with two connections, of which one was delivered and emptied.
#ifndef EMPTIED_H
#define EMPTIED_H

#include "../harness.h"

static int epfd, one[2], other[2];

// The item of `one` is delivered, and its file emptied by a read that comes short.
static void empty_one(void)
{
    char buf[64];
    put(one[1], "ab");
    until_polls(one[0], POLLIN);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    CHECK_EQ(read(one[0], buf, sizeof buf), 2);
}

static void make_set(void)
{
    epfd = ep_new();
    tcp_pair(one);
    tcp_pair(other);
    OK(ep_add(epfd, one[0], EPOLLIN));
    OK(ep_add(epfd, other[0], EPOLLIN));
}

#endif
