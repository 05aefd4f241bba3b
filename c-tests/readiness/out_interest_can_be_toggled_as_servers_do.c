// A server sends more than fits. It asks for OUT with MOD, goes on to send when
// OUT comes, and asks for IN alone when all is sent. All bytes arrive. TCP,
// unix stream.
// Source: epoll_ctl(2). Contract: 14, 18
#include "harness.h"

enum { TOTAL = 8 << 20 };

static void *receiver(void *arg)
{
    drain_exactly(*(int *)arg, TOTAL);
    return NULL;
}

static void test(void)
{
    static char block[100000];
    for (int tcp = 0; tcp < 2; tcp++)
        for (int edge = 0; edge < 2; edge++) {
            int epfd = ep_new(), s[2], sent = 0;
            const uint32_t et = edge ? EPOLLET : 0;
            struct epoll_event ev[1];
            pthread_t thread;
            if (tcp)
                tcp_pair(s);
            else
                unix_stream(s);
            OK(ep_add(epfd, s[0], EPOLLIN | et));
            CHECK_EQ(pthread_create(&thread, NULL, receiver, &s[1]), 0);
            while (sent < TOTAL) {
                size_t left = TOTAL - sent;
                long n = write(s[0], block, left < sizeof block ? left : sizeof block);
                if (n > 0) {
                    sent += n;
                    continue;
                }
                CHECK_EQ(errno, EAGAIN);
                OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLOUT | et));
                CHECK_EQ(epoll_wait(epfd, ev, 1, WAIT_MS), 1);
                CHECK_EVENT(ev[0], s[0], EPOLLOUT);
                OK(ep_mod(epfd, s[0], EPOLLIN | et));
            }
            CHECK_EQ(pthread_join(thread, NULL), 0);
            EXPECT_NOTHING_NOW(epfd);
            close_pair(s);
            OK(close(epfd));
        }
}
