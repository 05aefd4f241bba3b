// A new set gets the lowest free fd, and a set in use takes no low fd away from
// the program.
// Source: open(2). Contract: 1
#include "harness.h"

static void test(void)
{
    int low = OK(dup(0)), next = OK(dup(0));
    CHECK(low < next);
    OK(close(low));
    int epfd = OK(epoll_create1(0));
    CHECK_EQ(epfd, low);

    // One file of each kind, so that the library has started any helper it
    // needs.
    int s[2], p[2], free_number = 0;
    unix_stream(s);
    pipe_pair(p);
    int e = event_fd();
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, p[0], EPOLLIN));
    OK(ep_add(epfd, e, EPOLLIN));
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    EXPECT_NOTHING(epfd);

    while (fcntl(free_number, F_GETFD) != -1)
        free_number++;
    CHECK_EQ(dup(0), free_number);
    OK(close(free_number));
    int second = OK(epoll_create(1));
    CHECK_EQ(second, free_number);
    OK(close(second));
    close_pair(s);
    close_pair(p);
    OK(close(e));
    OK(close(epfd));
    OK(close(next));
}
