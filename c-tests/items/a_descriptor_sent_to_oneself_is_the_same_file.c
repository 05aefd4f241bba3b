// An fd that comes back in a message stands for the file that was sent: like
// any dup, it keeps the item of a closed fd in the set.
#include "harness.h"

static int pass(int over[2], int what)
{
    char byte = 'x', space[CMSG_SPACE(sizeof what)] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
                       .msg_controllen = sizeof space};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof what),
                          .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &what, sizeof what);
    CHECK_EQ(sendmsg(over[0], &m, 0), 1);
    CHECK_EQ(recvmsg(over[1], &m, 0), 1);
    memcpy(&what, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof what);
    return what;
}

// `watch_first`: the file is in the set before it is sent.
static void keeps_a_closed_number(bool watch_first, bool watch_the_copy)
{
    int epfd = ep_new(), over[2], fd[2];
    unix_stream(over);
    unix_stream(fd);
    int watched = fd[0], other;
    if (watch_first)
        OK(ep_add(epfd, watched, EPOLLIN | EPOLLET));
    other = pass(over, fd[0]);
    CHECK(other != fd[0]);
    if (watch_the_copy) {
        watched = other;
        other = fd[0];
    }
    if (!watch_first)
        OK(ep_add(epfd, watched, EPOLLIN | EPOLLET));
    OK(close(watched));
    put(fd[1], "a");
    EXPECT_ONE(epfd, watched, EPOLLIN);
    CHECK_ERR(ep_mod(epfd, watched, EPOLLIN), EBADF);
    CHECK_ERR(ep_del(epfd, other), ENOENT);
    // A second item for the same file.
    OK(ep_add(epfd, other, EPOLLIN));
    put(fd[1], "b");
    CHECK_EQ(epoll_wait(epfd, (struct epoll_event[8]){0}, 8, WAIT_MS), 2);
    OK(close(other));
    put(over[0], "the set goes on");
    OK(ep_add(epfd, over[1], EPOLLIN));
    EXPECT_ONE(epfd, over[1], EPOLLIN);
    OK(close(fd[1]));
    close_pair(over);
    OK(close(epfd));
}

static void test(void)
{
    keeps_a_closed_number(true, false);
    keeps_a_closed_number(false, false);
    keeps_a_closed_number(false, true);
}
