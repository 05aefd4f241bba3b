// A wait has room for one event, and one item is always ready. Another item,
// which was quiet for any number of waits, is reported soon after it becomes
// ready.
// Source: epoll(7), starvation; Linux: fs/eventpoll.c:ep_send_events.
// Contract: 18
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++)
        for (int quiet = 0; quiet < 48; quiet++) {
            int epfd = ep_new(), fd[2], busy[2];
            struct epoll_event ev;
            unix_stream(fd);
            pty_pair(busy);
            put(busy[0], "x");
            OK(ep_add(epfd, fd[0], EPOLLIN | (edge ? EPOLLET : 0)));
            OK(ep_add(epfd, busy[1], EPOLLIN));
            until_polls(busy[1], POLLIN);
            for (int n = 0; n < quiet; n++) {
                CHECK_EQ(epoll_wait(epfd, &ev, 1, WAIT_MS), 1);
                CHECK_EVENT(ev, busy[1], EPOLLIN);
            }
            put(fd[1], "x");
            int waits = 0;
            do {
                CHECK_EQ(epoll_wait(epfd, &ev, 1, WAIT_MS), 1);
            } while ((int)ev.data.u64 == busy[1] && ++waits < 40);
            if (waits == 40)
                FAIL("not reported in 40 waits after %d quiet ones", quiet);
            CHECK_EVENT(ev, fd[0], EPOLLIN);
            close_pair(fd);
            close_pair(busy);
            OK(close(epfd));
        }
}
