// A wait that times out lasts at least as long as its timeout: 100 waits of 1
// ms, by all three calls.
// Source: epoll_wait(2). Contract: 6
#include "harness.h"

static void test(void)
{
    struct timespec ts = {0, 1000000};
    struct epoll_event ev[1];
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    for (int i = 0; i < 100; i++)
        for (int call = 0; call < 3; call++) {
            int64_t start = now_ns();
            CHECK_EQ(call == 0   ? epoll_wait(epfd, ev, 1, 1)
                     : call == 1 ? epoll_pwait(epfd, ev, 1, 1, NULL)
                                 : epoll_pwait2(epfd, ev, 1, &ts, NULL), 0);
            CHECK(now_ns() - start >= 1000000);
        }
    close_pair(s);
    OK(close(epfd));
}
