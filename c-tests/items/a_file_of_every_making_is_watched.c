// Whichever call made a file, its first fd and a dup can be watched, level and
// edge. The dup's item outlives the first fd. A file that later gets the first
// fd is a new file.
// Source: epoll(7), Q6. Contract: 11, 12, 13, 18, 19
#include "harness.h"

enum { KINDS = 10 };

// The watched fd, and the fd whose write makes it readable.
static void make(int kind, int fd[2])
{
    struct sockaddr_in at;
    int listener;
    switch (kind) {
    case 0: OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd)); break;
    case 1: OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd)); break;
    case 2: OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd)); break;
    case 3: OK(pipe(fd)); break;
    case 4: OK(pipe2(fd, O_NONBLOCK | O_CLOEXEC)); break;
    case 5: udp_pair(fd); break;
    case 6: fd[0] = fd[1] = OK(eventfd(0, 0)); break;
    case 7: fd[0] = fd[1] = OK(timerfd_create(CLOCK_MONOTONIC, 0)); break;
    default:
        listener = tcp_listener(&at);
        fd[1] = tcp_connect(&at);
        until_polls(listener, POLLIN);
        fd[0] = kind == 8 ? OK(accept(listener, NULL, NULL))
                          : OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
        OK(close(listener));
    }
}

static void make_readable(int kind, int fd[2])
{
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    if (kind == 6)
        bump(fd[1], 1);
    else if (kind == 7)
        OK(timerfd_settime(fd[1], 0, &soon, NULL));
    else
        put(fd[1], "x");
}

static void take(int fd)
{
    char buf[8];
    CHECK(read(fd, buf, sizeof buf) > 0);
}

static void test(void)
{
    int epfd = ep_new();
    for (int i = 0; i < 2 * KINDS; i++) {
        const int kind = i / 2;
        const uint32_t mask = EPOLLIN | (i % 2 ? EPOLLET : 0);
        int fd[2], again;
        struct epoll_event ev[4];
        make(kind, fd);
        CHECK_ERR(ep_mod(epfd, fd[0], mask), ENOENT);
        CHECK_ERR(ep_del(epfd, fd[0]), ENOENT);
        OK(ep_add(epfd, fd[0], mask));
        CHECK_ERR(ep_add(epfd, fd[0], mask), EEXIST);
        EXPECT_NOTHING_NOW(epfd);
        make_readable(kind, fd);
        EXPECT_ONE(epfd, fd[0], EPOLLIN);
        take(fd[0]);
        EXPECT_NOTHING_NOW(epfd);
        OK(ep_del(epfd, fd[0]));
        again = OK(dup(fd[0]));
        OK(ep_add(epfd, fd[0], mask));
        OK(ep_add(epfd, again, mask));
        make_readable(kind, fd);
        CHECK_EQ(wait_events(epfd, ev, 4, WAIT_MS), 2);
        take(again);
        EXPECT_NOTHING_NOW(epfd);
        OK(ep_del(epfd, fd[0]));
        if (fd[1] != fd[0])
            OK(close(fd[0]));
        make_readable(kind, fd);
        EXPECT_ONE(epfd, again, EPOLLIN);
        OK(close(again));
        OK(close(fd[1]));
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(close(epfd));
}
