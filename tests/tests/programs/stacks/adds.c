// Adds an eventfd to a set, three functions deep, and then sleeps a little in each turn of a loop that never reads it.
// `adds TURNS [close]`: with close, the descriptor is deleted and closed before the end.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// Keeps a call from becoming a jump.
#define STAYS __asm__ volatile("" ::: "memory")

__attribute__((noinline)) static int register_it(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int result = epoll_ctl(set, EPOLL_CTL_ADD, fd, &event); // line 18
    STAYS;
    return result;
}

__attribute__((noinline)) static int open_wakeup(int set)
{
    int fd = eventfd(1, 0);
    int result = register_it(set, fd); // line 26
    STAYS;
    return result < 0 ? result : fd;
}

__attribute__((noinline)) static int set_up(int set)
{
    int fd = open_wakeup(set); // line 33
    STAYS;
    return fd;
}

int main(int argc, char **argv)
{
    int set = epoll_create1(0), turns = atoi(argv[1]), fd = set_up(set); // line 40
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int turn = 0; turn < turns; turn++) {
        struct epoll_event event;
        epoll_wait(set, &event, 1, 100);
        nanosleep(&pause, 0);
    }
    if (argc > 2 && strcmp(argv[2], "close") == 0) {
        epoll_ctl(set, EPOLL_CTL_DEL, fd, 0);
        close(fd);
    }
    return fd < 0;
}
