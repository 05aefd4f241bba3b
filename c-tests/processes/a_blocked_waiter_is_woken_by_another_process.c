// A forked child writes to the other end, then closes it: each ends a wait.
// Pipe, unix stream, TCP and eventfd; level and edge. The set is made after the
// fork.
// Source: epoll_wait(2). Contract: 37
#include "harness.h"

static void test(void)
{
    for (int edge = 0; edge < 2; edge++)
        for (int kind = 0; kind < 4; kind++) {
            int fd[2], go[2];
            struct waiter w;
            OK(pipe(go));
            if (kind == 0)
                pipe_pair(fd);
            else if (kind == 1)
                unix_stream(fd);
            else if (kind == 2)
                tcp_pair(fd);
            else
                fd[0] = event_fd(), fd[1] = OK(dup(fd[0]));
            pid_t pid = fork_child();
            if (pid == 0) {
                char c;
                OK(close(fd[0]));
                OK(close(go[1]));
                while (read(go[0], &c, 1) == 1)
                    bump(fd[1], 1);
                _exit(0); // closes fd[1]
            }
            OK(close(fd[1]));
            OK(close(go[0]));
            int epfd = ep_new();
            OK(ep_add(epfd, fd[0], EPOLLIN | EPOLLRDHUP | (edge ? EPOLLET : 0)));
            for (int i = 0; i < 3; i++) {
                waiter_block(&w, epfd);
                put(go[1], "x");
                waiter_join_with(&w, fd[0], EPOLLIN);
                drain_exactly(fd[0], 8);
            }
            EXPECT_NOTHING_NOW(epfd);
            waiter_block(&w, epfd);
            OK(close(go[1]));
            if (kind == 3) {
                child_must_pass(pid);
                bump(fd[0], 1);
                waiter_join_with(&w, fd[0], EPOLLIN);
            } else {
                waiter_join_with(&w, fd[0], kind == 0 ? EPOLLHUP
                                            : kind == 1
                                                ? EPOLLIN | EPOLLRDHUP | EPOLLHUP
                                                : EPOLLIN | EPOLLRDHUP);
                child_must_pass(pid);
            }
            OK(close(fd[0]));
            OK(close(epfd));
        }
}
