// A write that is cut short counts as a refused one: the room that a reader then makes is an edge, even if the reader
// makes it as soon as the write has returned. The file is made here or inherited.
// Linux: fs/pipe.c:pipe_read wakes the writers of a pipe that was full; net/unix/af_unix.c:unix_write_space.
#include "harness.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

enum { ROUNDS = 200, LONG = 120000 };

static int fds[2]; // the end that is written to, and the end that is read
static atomic_int stop;
static char block[1 << 20];

// Makes room as soon as there is anything to read.
static void *reader(void *arg) {
    static char buf[1 << 20];
    while (!stop) {
        int there = 0;
        OK(ioctl(fds[1], FIONREAD, &there));
        if (there > 0)
            (void)!read(fds[1], buf, sizeof buf);
    }
    return arg;
}

static void rounds(int which) {
    int epfd = OK(epoll_create1(0));
    struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
    OK(epoll_ctl(epfd, EPOLL_CTL_ADD, fds[0], &ev));
    pthread_t thread;
    stop = 0;
    CHECK_EQ(pthread_create(&thread, NULL, reader, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        if (OK(epoll_wait(epfd, &ev, 1, LONG)) != 1)
            FAIL("%s: no edge after %d rounds", which ? "unix stream" : "pipe", round);
        // Writes until a write is cut short. If one fills the file exactly, the next is refused.
        ssize_t put;
        struct iovec iov = { block, sizeof block };
        do
            put = round % 2 ? write(fds[0], block, sizeof block) : writev(fds[0], &iov, 1);
        while (put == sizeof block);
        if (put < 0)
            CHECK_EQ(errno, EAGAIN);
    }
    stop = 1;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(epfd));
}

static void test(void) {
    for (int n = 0; n < 4; n++) {
        bool inherited = n & 1;
        int which = n / 2, pair[2];
        if (which == 0) {
            OK(pipe2(pair, O_NONBLOCK));
            fds[0] = pair[1], fds[1] = pair[0];
        } else {
            OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
        }
        pid_t child = inherited ? OK(fork()) : 0;
        if (child == 0)
            rounds(which);
        if (inherited && child == 0)
            _exit(0);
        int status;
        if (inherited) {
            OK(waitpid(child, &status, 0));
            CHECK_EQ(status, 0);
        }
        close_pair(fds);
    }
}
