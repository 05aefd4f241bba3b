// A thread sleeps in recvmsg, recvmmsg or recv on a watched blocking socket,
// and takes a part of the data that comes. The edge for the rest is reported.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 19
#include "harness.h"

static _Atomic pid_t tid;
static int fd[2];

static void *reads(void *how)
{
    char c;
    struct iovec iov = {&c, 1};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    tid = gettid();
    switch ((intptr_t)how) {
    case 0: CHECK_EQ(recvmsg(fd[0], &m.msg_hdr, 0), 1); break;
    case 1: CHECK_EQ(recvmmsg(fd[0], &m, 1, 0, NULL), 1); break;
    default: CHECK_EQ(recv(fd[0], &c, 1, 0), 1);
    }
    return NULL;
}

static void test(void)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        int epfd = ep_new();
        if (tcp)
            tcp_pair(fd);
        else
            unix_stream(fd);
        OK(fcntl(fd[0], F_SETFL, 0));
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        for (intptr_t how = 0; how < 9; how++) {
            pthread_t thread;
            char c;
            tid = 0;
            CHECK_EQ(pthread_create(&thread, NULL, reads, (void *)(how % 3)), 0);
            UNTIL(tid != 0);
            until_asleep(tid);
            put(fd[1], "ab");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(pthread_join(thread, NULL), 0);
            CHECK_EQ(recv(fd[0], &c, 1, 0), 1);
            CHECK_EQ(c, 'b');
            EXPECT_NOTHING_NOW(epfd);
        }
        close_pair(fd);
        OK(close(epfd));
    }
}
