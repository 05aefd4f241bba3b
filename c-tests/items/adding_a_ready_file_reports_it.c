// A file that is ready when it is added is reported although nothing happens to
// it after that. A level item is reported in each wait, an edge item once.
// Source: epoll(7), Q6; Linux: fs/eventpoll.c:ep_insert. Contract: 14
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), u[2], t[2], p[2], e = event_fd();
    unix_stream(u);
    tcp_pair(t);
    pipe_pair(p);
    put(u[1], "x");
    put(t[1], "x");
    put(p[1], "x");
    bump(e, 1);
    until_polls(t[0], POLLIN);
    int fd[] = {u[0], t[0], p[0], e};
    for (int i = 0; i < 4; i++) {
        OK(ep_add(epfd, fd[i], EPOLLIN | EPOLLET));
        EXPECT_ONE(epfd, fd[i], EPOLLIN);
        EXPECT_NOTHING(epfd);
        OK(ep_del(epfd, fd[i]));
        OK(ep_add(epfd, fd[i], EPOLLIN));
        EXPECT_ONE(epfd, fd[i], EPOLLIN);
        EXPECT_ONE(epfd, fd[i], EPOLLIN);
        OK(ep_del(epfd, fd[i]));
    }
    close_pair(u);
    close_pair(t);
    close_pair(p);
    OK(close(e));
    OK(close(epfd));
}
