// An epoll fd sent by SCM_RIGHTS to another process is the same set there.
// Under glasspoll it is no set in the receiver: epoll calls on it say EINVAL,
// and the sender's set does not change.
// Source: unix(7). Contract: 38
#include "harness.h"

static void pass(int over, int *fd, bool send)
{
    char c = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (send) {
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), fd, sizeof(int));
        CHECK_EQ(sendmsg(over, &m, 0), 1);
        return;
    }
    until_polls(over, POLLIN);
    CHECK_EQ(recvmsg(over, &m, 0), 1);
    h = CMSG_FIRSTHDR(&m);
    CHECK(h);
    memcpy(fd, CMSG_DATA(h), sizeof(int));
}

static void test(void)
{
    struct epoll_event ev[1];
    int over[2], s[2], epfd;
    unix_stream(over);
    unix_stream(s);
    pid_t pid = fork_child(); // forks before there is a set
    if (pid == 0) {
        pass(over[1], &epfd, false);
        if (emulated()) {
            CHECK_ERR(epoll_wait(epfd, ev, 1, 0), EINVAL);
            CHECK_ERR(ep_add(epfd, over[1], EPOLLIN), EINVAL);
            CHECK_ERR(ep_del(epfd, s[0]), EINVAL);
        } else {
            EXPECT_ONE(epfd, 4711, EPOLLIN);
            CHECK_ERR(ep_add(epfd, s[0], EPOLLIN), EEXIST);
        }
        OK(close(epfd));
        _exit(0);
    }
    epfd = ep_new();
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[0], EPOLLIN, 4711));
    put(s[1], "x");
    pass(over[0], &epfd, true);
    child_must_pass(pid);
    EXPECT_ONE(epfd, 4711, EPOLLIN);
    drain(s[0]);
    EXPECT_NOTHING_NOW(epfd);
    close_pair(over);
    close_pair(s);
    OK(close(epfd));
}
