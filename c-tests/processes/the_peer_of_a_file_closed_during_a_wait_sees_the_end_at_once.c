// A wait in progress keeps no watched file open: when another thread closes the
// file, its peer sees the end while the wait goes on. The same holds for a file
// inherited over fork, after the other process has closed it too.
// Source: epoll(7), Q6. Contract: 39
#include "harness.h"

static void peer_sees_end(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLRDHUP, 0};
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    CHECK(p.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

// One thread waits on the set while this one closes fd[0].
static void close_during_wait(int fd[2])
{
    int epfd = ep_new(), e = event_fd();
    struct waiter w;
    OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, e, EPOLLIN));
    waiter_block(&w, epfd);
    OK(close(fd[0]));
    peer_sees_end(fd[1]);
    CHECK(!w.done);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));
    OK(close(epfd));
}

static void test(void)
{
    for (int kind = 0; kind < 3; kind++)
        for (int inherited = 0; inherited < 2; inherited++) {
            int fd[2];
            if (kind == 0)
                unix_stream(fd);
            else if (kind == 1)
                tcp_pair(fd);
            else
                pipe_pair(fd);
            pid_t pid = inherited ? fork_child() : 0;
            if (inherited && pid > 0) {
                OK(close(fd[0]));
                OK(close(fd[1]));
                child_must_pass(pid);
            } else {
                // The child must be the last to close the file.
                if (inherited)
                    sleep_ms(20);
                close_during_wait(fd);
                OK(close(fd[1]));
                if (inherited)
                    _exit(0);
            }
        }
}
