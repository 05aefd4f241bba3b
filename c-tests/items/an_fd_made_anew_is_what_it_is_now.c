// An fd was a socket, a pipe or an eventfd, and now stands for a directory: it
// cannot be added. An fd was a directory, and is a socket now: it can. It does
// not matter how the old file was closed.
// Source: epoll_ctl(2), EPERM. Contract: 3, 13
#include "harness.h"

enum { MAKES = 5, ROADS = 8 };

static int make(int kind)
{
    int fd[2] = {-1, -1};
    switch (kind) {
    case 0: return OK(socket(AF_INET, SOCK_STREAM, 0));
    case 1: return OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    case 2: return OK(eventfd(0, 0));
    case 3: return OK(timerfd_create(CLOCK_MONOTONIC, 0));
    default: OK(pipe(fd)); OK(close(fd[1])); return fd[0];
    }
}

// Makes `fd` stand for a directory.
static void put_directory(int fd, int road)
{
    FILE *file;
    int dir = OK(open("/", O_RDONLY | O_DIRECTORY));
    switch (road) {
    case 0: OK(close(fd)); break;
    case 1: OK(dup2(dir, fd)); break;
    case 2: OK(dup3(dir, fd, O_CLOEXEC)); break;
    case 3: OK(close_range(fd, fd, 0)); break;
    case 4: OK(syscall(SYS_close, fd)); break;
    case 5:
        file = fdopen(fd, "r");
        CHECK(file);
        CHECK_EQ(fclose(file), 0);
        break;
    case 6: OK(syscall(SYS_close_range, fd, fd, 0)); break;
    default: OK(syscall(SYS_dup3, dir, fd, 0)); break;
    }
    if (fcntl(fd, F_GETFD) == -1)
        CHECK_EQ(OK(fcntl(dir, F_DUPFD, fd)), fd);
    OK(close(dir));
}

static void test(void)
{
    int epfd = ep_new();
    for (int i = 0; i < MAKES * ROADS * 2; i++) {
        const int kind = i / 2 % MAKES, road = i / 2 / MAKES;
        int fd = make(kind);
        if (i % 2) {
            OK(ep_add(epfd, fd, EPOLLIN));
            OK(ep_del(epfd, fd));
        }
        put_directory(fd, road);
        CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EPERM);
        OK(close(fd));
        CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EBADF);
        int again = make(kind);
        OK(ep_add(epfd, again, EPOLLPRI));
        OK(close(again));
    }
    OK(close(epfd));
}
