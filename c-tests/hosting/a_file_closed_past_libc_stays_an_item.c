// A watched file that is closed leaves its sets, by whatever instruction it is
// closed. Preloaded, the library does not see a close by an instruction of the
// program's own. While the fd is free, nothing is reported. If open(2) then
// makes a file under the fd, the library takes it for the closed file, until
// libc closes the fd.
// Source: epoll(7), Q6. Contract: 13
#include "harness.h"

static void close_past_libc(int fd)
{
    long result;
#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(SYS_close), "D"(fd)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_close;
    register long x0 __asm__("x0") = fd;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8) : "memory");
    result = x0;
#else
    SKIP("no system call instruction known");
#endif
    CHECK_EQ(result, 0);
}

static void test(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/closed_past_libc.%d", getpid());
    OK(mkfifo(path, 0600));
    int epfd = ep_new(), fd[2], stay[2];
    pipe_pair(stay);
    pipe_pair(fd);
    OK(ep_add(epfd, stay[0], EPOLLIN));
    OK(ep_add(epfd, fd[0], EPOLLIN));
    put(fd[1], "x");
    EXPECT_ONE(epfd, fd[0], EPOLLIN);
    close_past_libc(fd[0]);
    EXPECT_NOTHING(epfd);
    put(stay[1], "x");
    EXPECT_ONE(epfd, stay[0], EPOLLIN);
    CHECK_EQ(drain(stay[0]), 1);

    // The library sees the call that makes a socket, so it knows that this is
    // another file.
    int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
    CHECK_EQ(s, fd[0]);
    EXPECT_NOTHING(epfd);
    OK(ep_add(epfd, s, EPOLLOUT));
    EXPECT_ONE(epfd, s, EPOLLOUT);
    close_past_libc(s);

    int fifo = OK(open(path, O_RDWR | O_NONBLOCK));
    CHECK_EQ(fifo, s);
    if (emulated()) {
        EXPECT_ONE(epfd, s, EPOLLOUT);
        CHECK_ERR(ep_add(epfd, fifo, EPOLLIN), EEXIST);
    } else
        OK(ep_add(epfd, fifo, EPOLLIN));
    OK(close(fifo));
    EXPECT_NOTHING(epfd);
    CHECK_EQ(open(path, O_RDWR | O_NONBLOCK), fifo);
    OK(ep_add(epfd, fifo, EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    put(fifo, "x");
    EXPECT_ONE(epfd, fifo, EPOLLIN);
    OK(close(fifo));
    OK(close(fd[1]));
    close_pair(stay);
    OK(close(epfd));
    OK(unlink(path));
}
