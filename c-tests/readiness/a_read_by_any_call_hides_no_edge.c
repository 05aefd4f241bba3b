// splice, vmsplice, stdio, preadv2, recvmmsg or another process takes data out
// of a pipe or a unix stream. If as many bytes come after that, they are an
// edge, as after read(2).
// Source: epoll(7), edge-triggered; Linux: fs/pipe.c:pipe_write,
// net/unix/af_unix.c:unix_stream_sendmsg. Contract: 19
// Limit: poll: as many bytes as were read unseen are taken for what was left
#include "harness.h"
#include <sys/uio.h>

static int into[2];

static void by_splice(int fd)
{
    char byte;
    CHECK_EQ(splice(fd, NULL, into[1], NULL, 1, SPLICE_F_NONBLOCK), 1);
    CHECK_EQ(read(into[0], &byte, 1), 1);
}

static void by_vmsplice(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    CHECK_EQ(vmsplice(fd, &iov, 1, SPLICE_F_NONBLOCK), 1);
}

static void by_stdio(int fd)
{
    int copy = OK(dup(fd));
    FILE *file = fdopen(copy, "r");
    CHECK(file);
    CHECK_EQ(fgetc(file), 'x');
    CHECK_EQ(fclose(file), 0);
}

static void by_preadv2(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    CHECK_EQ(preadv2(fd, &iov, 1, -1, 0), 1);
}

static void by_system_call(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    CHECK_EQ(syscall(SYS_readv, fd, &iov, 1), 1);
}

static void by_recvmmsg(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    CHECK_EQ(recvmmsg(fd, &msg, 1, 0, NULL), 1);
}

static void by_a_child(int fd)
{
    char byte;
    pid_t pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(read(fd, &byte, 1), 1);
        _exit(0);
    }
    child_must_pass(pid);
}

static void check(int socket, void (*take)(int))
{
    // How often read(2) has read the file to the end before.
    for (int drained = 0; drained < 4; drained++) {
        int epfd = ep_new(), fd[2];
        if (socket)
            unix_stream(fd);
        else
            pipe_pair(fd);
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        for (int n = 0; n < drained; n++) {
            put(fd[1], "x");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(drain(fd[0]), 1);
        }
        for (int n = 0; n < 4; n++) {
            put(fd[1], "x");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            take(fd[0]);
        }
        EXPECT_NOTHING_NOW(epfd);
        close_pair(fd);
        OK(close(epfd));
    }
}

static void test(void)
{
    pipe_pair(into);
    for (int socket = 0; socket < 2; socket++) {
        check(socket, by_splice);
        check(socket, by_preadv2);
        check(socket, by_system_call);
        check(socket, by_stdio);
        check(socket, socket ? by_recvmmsg : by_vmsplice);
        check(socket, by_a_child);
    }
    close_pair(into);
}
