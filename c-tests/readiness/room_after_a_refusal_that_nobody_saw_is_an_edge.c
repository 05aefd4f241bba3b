// A TCP socket refuses a write that the program makes by a system call instruction. It is reported when there is room
// again, some waits later.
// Source: epoll(7), edge-triggered; Linux: net/ipv4/tcp.c:tcp_sendmsg_locked (SOCK_NOSPACE). Contract: 19
#include "harness.h"

static long write_past_libc(int fd, const void *text, size_t size)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(SYS_write), "D"(fd), "S"(text), "d"(size)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_write;
    register long x0 __asm__("x0") = fd;
    register long x1 __asm__("x1") = (long)text;
    register long x2 __asm__("x2") = (long)size;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#else
    SKIP("no system call instruction known");
#endif
}

// Whether all sent data is acknowledged. Then the window is closed, and nothing makes room any more. A delayed
// acknowledgement may take 200 ms, and longer on a slow machine. getsockopt locks the socket, so each waiter that an
// acknowledgement wakes is awake by the time it answers. Linux: net/ipv4/tcp.c:tcp_get_info.
static bool is_acknowledged(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
    return info.tcpi_unacked == 0;
}

static void check(uint32_t events)
{
    static char text[65536];
    int epfd = ep_new(), fd[2];
    tcp_pair(fd);
    OK(ep_add(epfd, fd[0], events));
    EXPECT_ONE(epfd, fd[0], EPOLLOUT);
    for (int n = 0; n < 3; n++) {
        long all = 0, some;
        // Writes until there is no room for good: an acknowledgement that comes meanwhile makes some room.
        do {
            while ((some = write_past_libc(fd[0], text, sizeof text)) > 0)
                all += some;
            CHECK_EQ(some, -EAGAIN);
            UNTIL(is_acknowledged(fd[0]));
        } while (poll(&(struct pollfd){fd[0], POLLOUT, 0}, 1, 0) == 1);
        epoll_wait(epfd, &(struct epoll_event){0}, 1, 0); // takes the edge of that room
        for (int wait = 0; wait < 100; wait++) {
            if (events & EPOLLIN) {
                // Other data keeps the file busy.
                put(fd[1], "x");
                EXPECT_ONE(epfd, fd[0], EPOLLIN);
                CHECK_EQ(drain(fd[0]), 1);
            }
            EXPECT_NOTHING_NOW(epfd);
        }
        drain_exactly(fd[1], all);
        EXPECT_ONE(epfd, fd[0], EPOLLOUT);
        EXPECT_NOTHING_NOW(epfd);
    }
    close_pair(fd);
    OK(close(epfd));
}

static void test(void)
{
    check(EPOLLOUT | EPOLLET);
    check(EPOLLIN | EPOLLOUT | EPOLLET);
}
