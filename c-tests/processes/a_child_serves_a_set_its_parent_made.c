// The parent makes a set with a listener, forks and closes both. The child
// serves connections from the set, as daemons do.
// Source: daemon(3). Contract: 36, 38
#include "harness.h"

static void serve(int epfd, int listener)
{
    struct epoll_event ev[8];
    char buf[64];
    for (int open = 0, served = 0; served < 5 || open > 0;) {
        int n = wait_events(epfd, ev, 8, WAIT_MS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.u64;
            if (fd == listener) {
                int client = accept_one(listener);
                OK(ep_add(epfd, client, EPOLLIN | EPOLLRDHUP));
                open++;
                served++;
                continue;
            }
            long got = read(fd, buf, sizeof buf);
            if (got > 0) {
                CHECK_EQ(write(fd, buf, got), got);
            } else if (got == 0) {
                OK(close(fd));
                open--;
            } else {
                CHECK_EQ(errno, EAGAIN);
            }
        }
    }
}

static void test(void)
{
    struct sockaddr_in at;
    int epfd = ep_new(), listener = tcp_listener(&at);
    OK(ep_add(epfd, listener, EPOLLIN));
    pid_t pid = fork_child();
    if (pid == 0) {
        serve(epfd, listener);
        _exit(0);
    }
    OK(close(epfd));
    OK(close(listener));
    for (int i = 0; i < 5; i++) {
        int fd = tcp_connect(&at);
        for (int round = 0; round < 20; round++) {
            put(fd, "hello");
            drain_exactly(fd, 5);
        }
        OK(close(fd));
    }
    child_must_pass(pid);
}
