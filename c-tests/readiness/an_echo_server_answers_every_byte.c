// A server has one set and 20 connections from another process, level and edge.
// Every byte comes back, and the end of every connection is seen.
// Source: epoll(7), the example. Contract: 18, 19, 23
#include "harness.h"

enum { CLIENTS = 20, ROUNDS = 50 };

static void client(const struct sockaddr_in *at)
{
    int fd[CLIENTS];
    char text[1001] = "";
    for (int i = 0; i < CLIENTS; i++)
        fd[i] = tcp_connect(at);
    for (int round = 0; round < ROUNDS; round++) {
        memset(text, 'a', 1 + round * 20);
        for (int i = round % 3; i < CLIENTS; i++)
            put(fd[i], text);
        for (int i = round % 3; i < CLIENTS; i++)
            drain_exactly(fd[i], strlen(text));
    }
    for (int i = 0; i < CLIENTS; i++)
        OK(close(fd[i]));
}

static void serve(int epfd, int listener, uint32_t et)
{
    struct epoll_event ev[8];
    char buf[300];
    long got;
    for (int ended = 0; ended < CLIENTS;) {
        int n = wait_events(epfd, ev, 8, WAIT_MS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.u64;
            if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1)
                    OK(ep_add(epfd, fd, EPOLLIN | et));
                CHECK_EQ(errno, EAGAIN);
                continue;
            }
            do {
                got = read(fd, buf, sizeof buf);
                if (got > 0)
                    CHECK_EQ(write(fd, buf, got), got);
            } while (et && got > 0);
            if (got == 0) {
                OK(close(fd));
                ended++;
            } else if (got < 0) {
                CHECK(et && errno == EAGAIN);
            }
        }
    }
}

static void test(void)
{
    for (int edge = 0; edge < 2; edge++) {
        struct sockaddr_in at;
        int epfd = ep_new(), listener = tcp_listener(&at);
        const uint32_t et = edge ? EPOLLET : 0;
        OK(ep_add(epfd, listener, EPOLLIN | et));
        pid_t pid = fork_child();
        if (pid == 0) {
            client(&at);
            _exit(0);
        }
        serve(epfd, listener, et);
        child_must_pass(pid);
        EXPECT_NOTHING_NOW(epfd);
        OK(close(listener));
        OK(close(epfd));
    }
}
