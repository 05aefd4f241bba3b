// A listener of a seccomp filter may have one notification to be received and one
// to be answered. poll(2) then gives the same bits as for a file without a poll
// method. The listener can be added, and reports both.
// Source: kernel/seccomp.c, seccomp_notify_poll. Contract: 3
#include "harness.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>

static int send_listener(int to, int fd)
{
    union {
        char room[CMSG_SPACE(sizeof fd)];
        struct cmsghdr align;
    } control;
    char byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1,
                         .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    *head = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return sendmsg(to, &msg, 0);
}

static int receive_listener(int from)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    char byte;
    int fd;
    struct iovec data = {&byte, 1};
    struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1,
                         .msg_control = &control, .msg_controllen = sizeof control};
    if (OK(recvmsg(from, &msg, MSG_CMSG_CLOEXEC)) == 0)
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
    return fd;
}

static void *ask(void *unused)
{
    syscall(SYS_sched_get_priority_max, 4711);
    return unused;
}

// Two threads: each makes a system call that waits for an answer.
static void be_filtered(int to)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_get_priority_max, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    pthread_t thread;
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (fd < 0)
        _exit(0);
    OK(send_listener(to, fd));
    OK(close(fd));
    for (int i = 0; i < 2; i++)
        OK(pthread_create(&thread, NULL, ask, NULL));
    pause();
    _exit(0);
}

static void test(void)
{
    int pair[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid_t pid = fork_child();
    if (pid == 0) {
        close(pair[0]);
        be_filtered(pair[1]);
    }
    OK(close(pair[1]));
    int listener = receive_listener(pair[0]);
    if (listener < 0)
        SKIP("no seccomp listeners");
    struct seccomp_notif request;
    memset(&request, 0, sizeof request);
    OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request));
    until_polls(listener, POLLIN | POLLOUT);
    int epfd = ep_new();
    OK(ep_add(epfd, listener, EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, listener, EPOLLIN | EPOLLOUT);
    OK(kill(pid, SIGKILL));
    OK(waitpid(pid, NULL, 0));
    OK(close(pair[0]));
    OK(close(listener));
    OK(close(epfd));
}
