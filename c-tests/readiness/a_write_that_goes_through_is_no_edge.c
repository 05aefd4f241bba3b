// After a complete write the file still has room, so there is no edge,
// whichever call wrote. A sendfile that ends before its count, at the end of
// its file, is complete too.
#include "harness.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static long by_write(int fd) { return write(fd, "abc", 3); }
static long by_writev(int fd)
{
    struct iovec iov[2] = {{"ab", 2}, {"c", 1}};
    return writev(fd, iov, 2);
}
static long by_sendmsg(int fd)
{
    struct iovec iov = {"abc", 3};
    return sendmsg(fd, &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1}, 0);
}
static long by_sendmmsg(int fd)
{
    struct iovec iov[2] = {{"ab", 2}, {"c", 1}};
    struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = iov + 1, .msg_iovlen = 1}}};
    CHECK_EQ(sendmmsg(fd, m, 2, 0), 2);
    return m[0].msg_len + m[1].msg_len;
}
static long from_file(int fd, off_t *offset)
{
    int file = OK(memfd_create("small", MFD_CLOEXEC));
    OK(ftruncate(file, 3));
    long sent = sendfile(fd, file, offset, 4096);
    CHECK_EQ(sendfile(fd, file, offset, 4096), 0);
    OK(close(file));
    return sent;
}
static long by_sendfile(int fd) { return from_file(fd, NULL); }
static long by_sendfile_at(int fd) { return from_file(fd, &(off_t){0}); }

static void no_edge(long (*put)(int fd))
{
    int epfd = ep_new(), fd[2];
    tcp_pair(fd);
    OK(ep_add(epfd, fd[0], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    CHECK_EQ(put(fd[0]), 3);
    EXPECT_NOTHING(epfd);
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    no_edge(by_write);
    no_edge(by_writev);
    no_edge(by_sendmsg);
    no_edge(by_sendmmsg);
    no_edge(by_sendfile);
    no_edge(by_sendfile_at);
}
