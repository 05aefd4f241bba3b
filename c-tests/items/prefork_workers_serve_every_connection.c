// Worker processes share a listener made before the fork; each has its own set,
// with or without EPOLLEXCLUSIVE. One of them serves each connection.
// Source: epoll_ctl(2), EPOLLEXCLUSIVE. Contract: 16, 36
#include "harness.h"

enum { WORKERS = 3, CONNECTIONS = 60 };

static void work(int listener, int exclusive, int quit)
{
    int epfd = ep_new();
    struct epoll_event ev[4];
    OK(ep_add(epfd, listener, EPOLLIN | (exclusive ? EPOLLEXCLUSIVE : 0)));
    OK(ep_add(epfd, quit, EPOLLIN));
    for (;;) {
        int n = wait_events(epfd, ev, 4, WAIT_MS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            if ((int)ev[i].data.u64 == quit)
                _exit(0);
            int fd = accept(listener, NULL, NULL);
            if (fd == -1) {
                CHECK_EQ(errno, EAGAIN); // another worker was faster
                continue;
            }
            put(fd, "hello");
            OK(close(fd));
        }
    }
}

static void test(void)
{
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        struct sockaddr_in at;
        int listener = tcp_listener(&at), quit[2];
        pid_t pid[WORKERS];
        pipe_pair(quit);
        for (int i = 0; i < WORKERS; i++) {
            pid[i] = fork_child();
            if (pid[i] == 0) {
                OK(close(quit[1]));
                work(listener, exclusive, quit[0]);
            }
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            int fd = tcp_connect(&at);
            drain_exactly(fd, 5);
            OK(close(fd));
        }
        close_pair(quit);
        for (int i = 0; i < WORKERS; i++)
            child_must_pass(pid[i]);
        OK(close(listener));
    }
}
