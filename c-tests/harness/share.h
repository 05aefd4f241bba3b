// A file that only this process has, or that another process has as well.
#ifndef SHARE_H
#define SHARE_H

#include "../harness.h"
#include "unseen.h"

// Which processes have the file.
enum share { ALONE, CHILD, RECEIVED, SHARES };
static const char *const share_names[] = {"alone", "a child has it too",
                                          "made by another process"};

static enum share share;
static int in, out; // the two ends, or one fd twice
static pid_t holder;

// Makes a call. The library sees it if only this process has the file. It does
// not see it if another process could make the same call.
static inline long elsewhere(long nr, long a, long b, long c, long d)
{
    return share == ALONE ? syscall(nr, a, b, c, d, 0, 0)
                          : unseen(nr, a, b, c, d, 0, 0);
}

static inline short polls(int fd, short events, long ns)
{
    struct pollfd p = {fd, events, 0};
    struct timespec limit = {0, ns};
    unseen(SYS_ppoll, (long)&p, 1, (long)&limit, 0, 8, 0);
    return p.revents & events;
}

static inline void hand_over(int line, int fds[2])
{
    char control[CMSG_SPACE(2 * sizeof(int))] = {0}, byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(head), fds, 2 * sizeof(int));
    CHECK_EQ(sendmsg(line, &msg, 0), 1);
}

static inline void take_over(int line, int fds[2])
{
    char control[CMSG_SPACE(2 * sizeof(int))], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(line, &msg, 0), 1);
    CHECK(!(msg.msg_flags & MSG_CTRUNC));
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2 * sizeof(int));
}

// Makes the file by `make`, and gives it to another process as `share` says.
static inline void share_file(void (*make)(int fds[2]))
{
    int fds[2], line[2];
    holder = 0;
    if (share == RECEIVED) {
        OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line));
        holder = fork_child();
        if (holder == 0) {
            make(fds);
            hand_over(line[1], fds);
            for (;;)
                pause();
        }
        take_over(line[0], fds);
        close_pair(line);
    } else {
        make(fds);
    }
    if (share == CHILD) {
        holder = fork_child();
        while (holder == 0)
            pause();
    }
    in = fds[0];
    out = fds[1];
}

static inline void unshare_file(void)
{
    OK(close(in));
    if (out != in)
        OK(close(out));
    if (holder > 0) {
        OK(kill(holder, SIGKILL));
        OK(waitpid(holder, NULL, 0));
    }
}

#endif
