// Every way to duplicate the epoll fd gives another name for one set, which
// lives until the last name is closed.
// Source: epoll(7). Contract: 2
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd();
    int twin[5] = {dup(epfd), fcntl(epfd, F_DUPFD, 100),
                   fcntl(epfd, F_DUPFD_CLOEXEC, 200), dup2(epfd, 300),
                   dup3(epfd, 301, O_CLOEXEC)};
    CHECK(twin[0] > 2 && twin[1] >= 100 && twin[2] >= 200);
    CHECK_EQ(twin[3], 300);
    CHECK_EQ(twin[4], 301);
    OK(ep_add(epfd, e, EPOLLIN));
    for (int i = 0; i < 5; i++) {
        CHECK_ERR(ep_add(twin[i], e, EPOLLIN), EEXIST);
        bump(e, 1);
        EXPECT_ONE(twin[i], e, EPOLLIN);
        struct pollfd p = {twin[i], POLLIN, 0};
        CHECK_EQ(poll(&p, 1, 0), 1);
        CHECK_EQ(drain(e), 8);
        EXPECT_NOTHING_NOW(twin[i]);
    }
    OK(close(epfd));
    for (int i = 0; i < 5; i++) {
        OK(ep_mod(twin[i], e, EPOLLOUT));
        EXPECT_ONE(twin[i], e, EPOLLOUT);
        OK(close(twin[i]));
        CHECK_ERR(ep_mod(twin[i], e, EPOLLOUT), EBADF);
    }
    OK(close(e));
}
