// A TCP socket refuses a write by splice, pwritev2 or syscall(SYS_sendto). The
// room that comes back is reported, though it comes before the wait.
// Source: epoll(7), edge-triggered; Linux: net/ipv4/tcp.c:tcp_sendmsg_locked
// (SOCK_NOSPACE). Contract: 19
#include "harness.h"
#include <sys/uio.h>

static char text[4096];
static int from[2];

static long by_splice(int fd)
{
    long all = 0, n;
    do {
        CHECK_EQ(write(from[1], text, sizeof text), sizeof text);
        n = splice(from[0], NULL, fd, NULL, sizeof text, SPLICE_F_NONBLOCK);
        all += n > 0 ? n : 0;
    } while (n == sizeof text);
    CHECK(n > 0 || errno == EAGAIN);
    drain(from[0]);
    return all;
}

static long by_pwritev2(int fd)
{
    struct iovec iov = {text, sizeof text};
    long all = 0, n;
    while ((n = pwritev2(fd, &iov, 1, -1, 0)) > 0)
        all += n;
    CHECK_EQ(errno, EAGAIN);
    return all;
}

static long by_system_call(int fd)
{
    long all = 0, n;
    while ((n = syscall(SYS_sendto, fd, text, sizeof text, 0, NULL, 0)) > 0)
        all += n;
    CHECK_EQ(errno, EAGAIN);
    return all;
}

static void check(long (*write_all)(int))
{
    int epfd = ep_new(), fd[2];
    tcp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    EXPECT_NOTHING_NOW(epfd);
    for (int n = 0; n < 3; n++) {
        long all = write_all(fd[0]);
        EXPECT_NOTHING_NOW(epfd);
        until_polls(fd[1], POLLIN);
        drain_exactly(fd[1], all);
        until_polls(fd[0], POLLOUT);
        EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    }
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    pipe_pair(from);
    check(by_splice);
    check(by_pwritev2);
    check(by_system_call);
    close_pair(from);
}
