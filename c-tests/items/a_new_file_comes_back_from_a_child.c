// This process makes a file, and its child sends the file back in a message. It
// arrives as another fd of the same file: the items outlive the first fd, and
// both fds report. If the file is made before the fork and added in both
// processes, it is reported in both.
// Source: unix(7), fork(2). Contract: 11, 12, 36, 38
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
    int fd;
    until_polls(over, POLLIN);
    CHECK_EQ(recvmsg(over, &m, 0), 1);
    CHECK(CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static void test(void)
{
    for (int i = 0; i < 6; i++) {
        const uint32_t mask = EPOLLIN | (i % 2 ? EPOLLET : 0);
        int epfd = ep_new(), over[2], s[2];
        struct epoll_event ev[4];
        unix_stream(over);
        if (i / 2 == 0)
            unix_stream(s);
        else if (i / 2 == 1)
            tcp_pair(s);
        else
            pipe_pair(s);
        pid_t pid = fork_child();
        if (pid == 0) {
            int own = ep_new();
            OK(ep_add(own, s[0], mask));
            send_fd(over[1], s[0]);
            EXPECT_ONE(own, s[0], EPOLLIN);
            put(over[1], "y"); // tells the parent that it saw the event
            until_polls(over[1], POLLIN);
            _exit(0);
        }
        OK(ep_add(epfd, s[0], mask));
        int again = receive_fd(over[0]);
        CHECK(again != s[0]);
        OK(ep_add(epfd, again, mask));
        put(s[1], "x");
        until_polls(over[0], POLLIN);
        CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
        CHECK_EQ(drain(s[0]), 1);
        CHECK_EQ(drain(over[0]), 1);
        OK(close(s[0]));
        put(s[1], "z");
        CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
        CHECK_EQ(drain(again), 1);
        put(over[0], "!");
        child_must_pass(pid);
        OK(close(again));
        EXPECT_NOTHING_NOW(epfd);
        OK(close(s[1]));
        close_pair(over);
        OK(close(epfd));
    }
}
