// A message in flight over a socket holds the only reference to a watched file. The file is still open: its item goes
// on reporting until the message is dropped.
// Source: unix(7), SCM_RIGHTS. Contract: 12, 38
// Limit: preloaded: a file whose last descriptor here is closed leaves the set, though a message in flight still holds it
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), over[2], s[2];
    char c = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    unix_stream(over);
    unix_stream(s);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &s[0], sizeof(int));
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    CHECK_EQ(sendmsg(over[0], &m, 0), 1);
    OK(close(s[0]));
    for (int i = 0; i < 3; i++) {
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
    }
    close_pair(over);
    until_polls(s[1], POLLHUP);
    EXPECT_NOTHING(epfd);
    OK(close(s[1]));
    OK(close(epfd));
}
