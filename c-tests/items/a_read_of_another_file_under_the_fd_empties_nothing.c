// Between two waits the item's fd is another file's for a moment, and that one is emptied by it: the item's own file still
// has data.
// Source: Linux: fs/eventpoll.c:ep_send_events. Contract: 18
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), one[2], other[2];
    char buf[64];
    tcp_pair(one);
    tcp_pair(other);
    OK(ep_add(epfd, one[0], EPOLLIN));
    for (int n = 0; n < 3; n++) {
        put(one[1], "ab");
        until_polls(one[0], POLLIN);
        EXPECT_ONE(epfd, one[0], EPOLLIN);
        CHECK_EQ(read(one[0], buf, sizeof buf), 2);
        EXPECT_NOTHING(epfd);
    }
    put(one[1], "ab");
    put(other[1], "cd");
    until_polls(one[0], POLLIN);
    until_polls(other[0], POLLIN);
    // Of both the library follows reads.
    OK(ep_add(epfd, other[0], EPOLLIN));
    struct epoll_event ev[8];
    CHECK_EQ(epoll_wait(epfd, ev, 8, WAIT_MS), 2);
    CHECK_EQ(read(other[0], buf, sizeof buf), 2);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    OK(ep_del(epfd, other[0]));
    put(other[1], "cd");
    until_polls(other[0], POLLIN);
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    int copy = OK(dup(one[0]));
    OK(dup2(other[0], one[0]));
    CHECK_EQ(read(one[0], buf, sizeof buf), 2); // of the other file
    OK(dup2(copy, one[0]));
    OK(close(copy));
    EXPECT_ONE(epfd, one[0], EPOLLIN);
    close_pair(one);
    close_pair(other);
    OK(close(epfd));
}
