// The last change decides whether a socket blocks. The mode is set when the
// socket is made, or by fcntl, ioctl or their system calls, before or after the
// socket is added, by any of its fds. If the socket blocks, a reader that
// sleeps in read hides no edge.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 19
#include "harness.h"
#include <sys/ioctl.h>

enum { ROADS = 6 };
static _Atomic pid_t tid;

static void *reader(void *arg)
{
    char c;
    tid = gettid();
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    return NULL;
}

static void set_mode(int fd, int road, int nonblocking)
{
    const int flags = nonblocking ? O_NONBLOCK : 0;
    switch (road) {
    case 1: OK(fcntl(fd, F_SETFL, flags)); break;
    case 2: OK(ioctl(fd, FIONBIO, &nonblocking)); break;
    case 3: OK(syscall(SYS_fcntl, fd, F_SETFL, flags)); break;
    case 4: OK(syscall(SYS_ioctl, fd, FIONBIO, &nonblocking)); break;
    case 5: {
        int other = OK(dup(fd));
        OK(fcntl(other, F_SETFL, flags));
        OK(close(other));
        break;
    }
    }
}

static void test(void)
{
    for (int i = 0; i < ROADS * 4; i++) {
        const int road = i / 4, late = i & 1, tcp = i & 2;
        int epfd = ep_new(), fd[2];
        pthread_t thread;
        if (tcp) {
            struct sockaddr_in at;
            int listener = tcp_listener(&at);
            fd[1] = tcp_connect(&at);
            until_polls(listener, POLLIN);
            fd[0] = OK(accept4(listener, NULL, NULL, road ? SOCK_NONBLOCK : 0));
            OK(close(listener));
        } else {
            OK(socketpair(AF_UNIX, SOCK_STREAM | (road ? SOCK_NONBLOCK : 0), 0, fd));
        }
        if (!late)
            set_mode(fd[0], road, 0);
        OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
        if (late)
            set_mode(fd[0], road, 0);
        CHECK_EQ(OK(fcntl(fd[0], F_GETFL)) & (O_NONBLOCK | O_ASYNC), 0);
        for (int n = 0; n < 2; n++) {
            tid = 0;
            CHECK_EQ(pthread_create(&thread, NULL, reader, &fd[0]), 0);
            UNTIL(tid != 0);
            until_asleep(tid);
            put(fd[1], "ab");
            EXPECT_ONE(epfd, fd[0], EPOLLIN);
            CHECK_EQ(pthread_join(thread, NULL), 0);
            char c;
            CHECK_EQ(read(fd[0], &c, 1), 1);
            CHECK_EQ(c, 'b');
        }
        set_mode(fd[0], road ? road : 1, 1);
        CHECK_ERR(read(fd[0], &(char){0}, 1), EAGAIN);
        close_pair(fd);
        OK(close(epfd));
    }
}
