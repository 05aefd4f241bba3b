// An fd that came over SCM_RIGHTS is another fd for the sender's file. It is
// watched like any other, level and edge. When the sender closes its own fd,
// nothing changes.
// Source: unix(7). Contract: 11, 38
#include "harness.h"

static void send_fd(int over, int fd)
{
    char c = 0, control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(h), &fd, sizeof fd);
    CHECK_EQ(sendmsg(over, &m, 0), 1);
}

static int receive_fd(int over)
{
    char c, control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    struct pollfd p = {over, POLLIN, 0};
    int fd;
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    CHECK_EQ(recvmsg(over, &m, 0), 1);
    CHECK(CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        int epfd, over[2], s[2];
        unix_stream(over);
        pid_t pid = fork_child();
        if (pid == 0) { // sends one end of a pair, then answers what it reads
            char c;
            unix_stream(s);
            send_fd(over[1], s[0]);
            OK(close(s[0]));
            OK(close(over[0]));
            until_polls(over[1], POLLIN);
            while (read(over[1], &c, 1) == 1) {
                put(s[1], "x");
                until_polls(over[1], POLLIN);
            }
            _exit(0);
        }
        OK(close(over[1]));
        int fd = receive_fd(over[0]);
        epfd = ep_new();
        OK(ep_add(epfd, fd, EPOLLIN | (edge ? EPOLLET : 0)));
        EXPECT_NOTHING_NOW(epfd);
        for (int i = 0; i < 5; i++) {
            put(over[0], "x");
            EXPECT_ONE(epfd, fd, EPOLLIN);
            if (edge)
                EXPECT_NOTHING_NOW(epfd);
            if (i % 2 || !edge)
                CHECK_EQ(drain(fd), 1 + edge);
        }
        CHECK_EQ(drain(fd), edge);
        OK(close(over[0])); // ends the child, and with it the peer
        EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLHUP);
        child_must_pass(pid);
        OK(close(fd));
        OK(close(epfd));
    }
}
