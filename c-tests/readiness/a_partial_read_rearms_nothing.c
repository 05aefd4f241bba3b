// A read of a part of the data is no edge: not for IN on this end and, as long
// as the buffer was never full, not for OUT on the other end.
// Source: epoll(7), the 2 kB example. Contract: 19
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), u[2], t[2], p[2];
    unix_stream(u);
    tcp_pair(t);
    pipe_pair(p);
    int in[] = {u[0], t[0], p[0]}, out[] = {u[1], t[1], p[1]};
    char buf[10];
    for (int i = 0; i < 3; i++) {
        OK(ep_add(epfd, in[i], EPOLLIN | EPOLLET));
        put(out[i], "0123456789");
        EXPECT_ONE(epfd, in[i], EPOLLIN);
        for (int left = 10; left > 4; left -= 3) {
            CHECK_EQ(read(in[i], buf, 3), 3);
            EXPECT_NOTHING_NOW(epfd);
        }
        EXPECT_NOTHING(epfd);
        put(out[i], "x");
        EXPECT_ONE(epfd, in[i], EPOLLIN);
    }
    close_pair(u);
    close_pair(t);
    close_pair(p);
    OK(close(epfd));
}
