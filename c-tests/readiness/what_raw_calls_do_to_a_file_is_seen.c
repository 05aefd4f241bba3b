// accept, accept4, connect, sendfile, recvmmsg, sendmmsg and timerfd_settime made by syscall(2) make the same edges as
// the functions with these names.
// Source: Linux: fs/eventpoll.c:ep_poll_callback. Contract: 10
#include "harness.h"
#include <sys/sendfile.h>

static int epfd;

static void a_timer(void)
{
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLET));
    for (int i = 0; i < 5; i++) {
        struct itimerspec soon = {{0, 0}, {0, 1}};
        OK(syscall(SYS_timerfd_settime, fd, 0, &soon, NULL));
        until_polls(fd, POLLIN);
        EXPECT_ONE(epfd, fd, EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(close(fd));
}

// A listener that a child has open too.
static void a_listener(void)
{
    struct sockaddr_in at;
    int fd = tcp_listener(&at);
    pid_t child = fork_child();
    if (child == 0)
        pause();
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLET));
    for (int i = 0; i < 6; i++) {
        int from = OK(socket(AF_INET, SOCK_STREAM, 0));
        OK(syscall(SYS_connect, from, &at, sizeof at));
        EXPECT_ONE(epfd, fd, EPOLLIN);
        int to = OK(i % 2 ? syscall(SYS_accept, fd, NULL, NULL) : syscall(SYS_accept4, fd, NULL, NULL, SOCK_NONBLOCK));
        CHECK(syscall(SYS_accept4, fd, NULL, NULL, 0) == -1 && errno == EAGAIN);
        EXPECT_NOTHING_NOW(epfd);
        OK(close(from));
        OK(close(to));
    }
    OK(kill(child, SIGKILL));
    CHECK_EQ(waitpid(child, NULL, 0), child);
    OK(close(fd));
}

static void messages(void)
{
    int s[2];
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct mmsghdr message[1] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
    OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
    pid_t child = fork_child();
    if (child == 0)
        pause();
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(syscall(SYS_sendmmsg, s[1], message, 1, 0), 1);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(syscall(SYS_recvmmsg, s[0], message, 1, 0, NULL), 1);
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(kill(child, SIGKILL));
    CHECK_EQ(waitpid(child, NULL, 0), child);
    close_pair(s);
}

static void a_file_that_is_sent(void)
{
    int s[2], file = OK(open("/proc/self/exe", O_RDONLY));
    tcp_pair(s);
    OK(ep_add(epfd, s[0], EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, s[0], EPOLLOUT);
    for (int i = 0; i < 2; i++) {
        off_t offset = 0;
        while (syscall(SYS_sendfile, s[0], file, &offset, 1 << 14) > 0)
            offset = 0;
        CHECK_EQ(errno, EAGAIN);
        EXPECT_NOTHING_NOW(epfd);
        while (drain(s[1]) > 0)
            sleep_ms(1);
        EXPECT_ONE(epfd, s[0], EPOLLOUT);
    }
    OK(close(file));
    close_pair(s);
}

static void test(void)
{
    epfd = ep_new();
    a_timer();
    a_listener();
    messages();
    a_file_that_is_sent();
    OK(close(epfd));
}
