// Files of each kind, as pairs where they have two ends.
#ifndef HARNESS_FILES_H
#define HARNESS_FILES_H

#include "check.h"
#include "clock.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>

static inline void unix_stream(int fd[2])
{
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
}

static inline void pipe_pair(int fd[2]) { OK(pipe2(fd, O_NONBLOCK)); }

static inline void close_pair(int fd[2])
{
    OK(close(fd[0]));
    OK(close(fd[1]));
}

static inline struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// Binds to a port the kernel picks and returns the address.
static inline struct sockaddr_in bind_loopback(int fd)
{
    struct sockaddr_in at = loopback();
    socklen_t len = sizeof at;
    OK(bind(fd, (struct sockaddr *)&at, sizeof at));
    OK(getsockname(fd, (struct sockaddr *)&at, &len));
    return at;
}

// Accepted sockets inherit TCP_NODELAY.
static inline int tcp_listener(struct sockaddr_in *at)
{
    int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), one = 1;
    OK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    *at = bind_loopback(fd);
    OK(listen(fd, 64));
    return fd;
}

static inline int tcp_connect(const struct sockaddr_in *at)
{
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
    OK(connect(fd, (const struct sockaddr *)at, sizeof *at));
    OK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    return fd;
}

static inline int accept_one(int listener)
{
    struct pollfd p = {listener, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    return OK(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
}

// fd[0] has connected, fd[1] was accepted.
static inline void tcp_pair(int fd[2])
{
    struct sockaddr_in at;
    int listener = tcp_listener(&at);
    fd[0] = tcp_connect(&at);
    fd[1] = accept_one(listener);
    OK(close(listener));
}

static inline void udp_pair(int fd[2])
{
    struct sockaddr_in at[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
        at[i] = bind_loopback(fd[i]);
    }
    for (int i = 0; i < 2; i++)
        OK(connect(fd[i], (struct sockaddr *)&at[!i], sizeof at[0]));
}

// fd[0] is the master, fd[1] the slave in raw mode.
static inline void pty_pair(int fd[2])
{
    struct termios mode;
    fd[0] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fd[0] < 0)
        SKIP("no pty: %s", strerrorname_np(errno));
    OK(grantpt(fd[0]));
    OK(unlockpt(fd[0]));
    fd[1] = OK(open(ptsname(fd[0]), O_RDWR | O_NOCTTY | O_NONBLOCK));
    OK(tcgetattr(fd[1], &mode));
    cfmakeraw(&mode);
    OK(tcsetattr(fd[1], TCSANOW, &mode));
}

static inline int event_fd(void) { return OK(eventfd(0, EFD_NONBLOCK)); }

#endif
