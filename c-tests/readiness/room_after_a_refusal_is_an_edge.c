// After a refused write, room that comes back is an edge. This holds though a
// smaller write succeeded meanwhile (after such a write the kernel does not
// signal the room).
#include "harness.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static char big[1 << 20];

static long by_write(int fd) { return write(fd, big, sizeof big); }
static long by_send(int fd) { return send(fd, big, sizeof big, 0); }
static long by_writev(int fd)
{
    struct iovec iov[2] = {{big, sizeof big / 2}, {big, sizeof big / 2}};
    return writev(fd, iov, 2);
}
static long by_sendmsg(int fd)
{
    struct iovec iov = {big, sizeof big};
    return sendmsg(fd, &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1}, 0);
}
static long by_sendmmsg(int fd)
{
    struct iovec iov = {big, sizeof big};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    return sendmmsg(fd, &m, 1, 0) == 1 ? (long)m.msg_len : -1;
}
static long by_sendfile(int fd)
{
    off_t from = 0;
    int file = OK(memfd_create("big", MFD_CLOEXEC));
    OK(ftruncate(file, sizeof big));
    long n = sendfile(fd, file, &from, sizeof big);
    int error = errno;
    OK(close(file));
    errno = error;
    return n;
}

static void refused(long (*put_big)(int fd))
{
    static char buf[4096];
    int epfd = ep_new(), fd[2];
    long total = 0, n;
    tcp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    EXPECT_NOTHING_NOW(epfd);
    while ((n = put_big(fd[0])) > 0)
        total += n;
    CHECK_EQ(errno, EAGAIN);
    // Reads a little at a time, until a small write succeeds.
    for (n = -1; n < 0; n = write(fd[0], "x", 1)) {
        long got = read(fd[1], buf, sizeof buf);
        if (got > 0)
            total -= got;
        else
            sleep_ms(1);
    }
    drain_exactly(fd[1], total + 1);
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    EXPECT_NOTHING_NOW(epfd);
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    refused(by_write);
    refused(by_send);
    refused(by_writev);
    refused(by_sendmsg);
    refused(by_sendmmsg);
    refused(by_sendfile);
}
