// With SO_RCVLOWAT, fewer bytes than the mark are no event, neither level nor
// edge. The bytes that reach the mark are an event.
// Source: socket(7), SO_RCVLOWAT; Linux: net/ipv4/tcp_input.c:tcp_data_ready.
// Contract: 19
#include "harness.h"

static void test(void)
{
    for (uint32_t e = 0; e < 2; e++) {
        int epfd = ep_new(), fd[2], four = 4;
        char buf[8];
        tcp_pair(fd);
        OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVLOWAT, &four, sizeof four));
        OK(ep_add(epfd, fd[0], EPOLLIN | (e ? EPOLLET : 0)));
        for (int n = 0; n < 6; n++) {
            put(fd[1], "ab");
            EXPECT_NOTHING_NOW(epfd);
            put(fd[1], "cd");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(recv(fd[0], buf, 2, 0), 2);
            EXPECT_NOTHING_NOW(epfd);
            put(fd[1], "ef");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            if (n % 2)
                CHECK_EQ(recv(fd[0], buf, 8, MSG_PEEK | MSG_WAITALL), 4);
            CHECK_EQ(recv(fd[0], buf, 4, MSG_TRUNC), 4);
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(fd);
        OK(close(epfd));
    }
}
