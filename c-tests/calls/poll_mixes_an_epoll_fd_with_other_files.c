// An epoll fd among ordinary files in one poll or select call: each gets its
// own answer, and the count is right.
// Source: poll(2). Contract: 2
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), watched = event_fd(), plain = event_fd();
    struct timeval zero = {0, 0};
    fd_set in;
    OK(ep_add(epfd, watched, EPOLLIN));
    for (int bits = 0; bits < 4; bits++) {
        if (bits & 1)
            bump(watched, 1);
        if (bits & 2)
            bump(plain, 1);
        struct pollfd p[4] = {{plain, POLLIN, 0}, {-1, POLLIN, 0},
                              {epfd, POLLIN, 0}, {epfd, POLLIN, 0}};
        CHECK_EQ(poll(p, 4, 0), (bits & 1) * 2 + bits / 2);
        CHECK_EQ(p[0].revents, bits & 2 ? POLLIN : 0);
        CHECK_EQ(p[1].revents, 0);
        CHECK_EQ(p[2].revents, bits & 1 ? POLLIN : 0);
        CHECK_EQ(p[3].revents, p[2].revents);
        FD_ZERO(&in);
        FD_SET(epfd, &in);
        FD_SET(plain, &in);
        CHECK_EQ(select(FD_SETSIZE, &in, NULL, NULL, &zero),
                 (bits & 1) + bits / 2);
        drain(watched);
        drain(plain);
    }
    OK(close(plain));
    OK(close(watched));
    struct pollfd p = {epfd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 5), 0);
    OK(close(epfd));
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLNVAL);
}
