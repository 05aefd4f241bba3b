// A read that gets less than it asked for may still leave data: a packet of a
// pipe with O_DIRECT, or the bytes behind TCP's urgent mark. What is left is no
// edge.
// Source: pipe(2), O_DIRECT; tcp(7), urgent data. Contract: 19
#include "harness.h"
#include <sys/ioctl.h>

static void check_rest(int epfd, int fd, int peer, const char *rest)
{
    char buf[64];
    EXPECT_NOTHING_NOW(epfd);
    EXPECT_NOTHING(epfd);
    CHECK_EQ(read(fd, buf, sizeof buf), strlen(rest));
    CHECK_EQ(drain(fd), 0);
    put(peer, "z");
    EXPECT_ONE(epfd, fd, EPOLLIN);
    CHECK_EQ(drain(fd), 1);
}

static void packets(int drained)
{
    int epfd = ep_new(), fd[2];
    char buf[64];
    OK(pipe2(fd, O_DIRECT | O_NONBLOCK));
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
    for (int n = 0; n < drained; n++) {
        put(fd[1], "x");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        CHECK_EQ(drain(fd[0]), 1);
    }
    put(fd[1], "ab");
    put(fd[1], "cde");
    EXPECT_ONE(epfd, fd[0], EPOLLIN);
    CHECK_EQ(read(fd[0], buf, sizeof buf), 2);
    check_rest(epfd, fd[0], fd[1], "cde");
    close_pair(fd);
    OK(close(epfd));
}

static void urgent(int drained)
{
    int epfd = ep_new(), fd[2];
    char buf[64];
    tcp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
    for (int n = 0; n < drained; n++) {
        put(fd[1], "x");
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        CHECK_EQ(drain(fd[0]), 1);
    }
    put(fd[1], "ab");
    CHECK_EQ(send(fd[1], "u", 1, MSG_OOB), 1);
    put(fd[1], "cde");
    for (int n = 0; n < 6;) {
        n = recv(fd[0], buf, sizeof buf, MSG_PEEK);
        int queued;
        OK(ioctl(fd[0], 0x541B /* FIONREAD */, &queued));
        if (n == 2 && queued >= 2)
            break;
    }
    until_polls(fd[0], POLLIN | POLLPRI);
    sleep_ms(20);
    EXPECT_ONE(epfd, fd[0], EPOLLIN);
    CHECK_EQ(read(fd[0], buf, sizeof buf), 2);
    check_rest(epfd, fd[0], fd[1], "cde");
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    for (int drained = 0; drained < 4; drained++) {
        packets(drained);
        urgent(drained);
    }
}
