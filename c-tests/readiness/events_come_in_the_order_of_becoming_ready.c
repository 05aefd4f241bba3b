// A wait lists items in the order in which they became ready, also if an earlier wait had no room for all of them.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 22
// Limit: poll: files that are asked come in the order of looking, not in that of becoming ready
#include "harness.h"

enum { ITEMS = 10 };

static void test(void)
{
    static const int order[ITEMS] = {7, 2, 9, 0, 5, 1, 8, 3, 6, 4};
    for (int kind = 0; kind < 2; kind++) {
        int epfd = ep_new(), fd[ITEMS][2];
        struct epoll_event ev[ITEMS];
        for (int i = 0; i < ITEMS; i++) {
            if (kind == 0)
                unix_stream(fd[i]);
            else
                pipe_pair(fd[i]);
            OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[i][0], EPOLLIN | EPOLLET, i));
        }
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < ITEMS; i++)
                put(fd[order[i]][1], "x");
            CHECK_EQ(epoll_wait(epfd, ev, 4, 0), 4);
            // A second edge does not move an item that is already queued.
            put(fd[order[9]][1], "x");
            CHECK_EQ(epoll_wait(epfd, ev + 4, ITEMS - 4, 0), ITEMS - 4);
            for (int i = 0; i < ITEMS; i++)
                CHECK_EVENT(ev[i], order[i], EPOLLIN);
        }
        for (int i = 0; i < ITEMS; i++)
            close_pair(fd[i]);
        OK(close(epfd));
    }
}
