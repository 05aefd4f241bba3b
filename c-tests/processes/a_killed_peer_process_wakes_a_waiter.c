// SIGKILL ends a peer process, which closes its ends as any exit does. The
// waiter gets HUP, or RDHUP from TCP.
// Source: epoll(7). Contract: 37
#include "harness.h"

static void test(void)
{
    for (int kind = 0; kind < 3; kind++) {
        int fd[2], status;
        struct waiter w;
        const uint32_t asked = EPOLLIN | EPOLLRDHUP;
        if (kind == 0)
            pipe_pair(fd);
        else if (kind == 1)
            unix_stream(fd);
        else
            tcp_pair(fd);
        pid_t pid = fork_child();
        if (pid == 0) {
            OK(close(fd[0]));
            for (;;)
                pause();
        }
        OK(close(fd[1]));
        int epfd = ep_new();
        OK(ep_add(epfd, fd[0], asked | EPOLLET));
        waiter_block(&w, epfd);
        OK(kill(pid, SIGKILL));
        waiter_join_with(&w, fd[0], kind == 0   ? EPOLLHUP
                                    : kind == 1 ? asked | EPOLLHUP
                                                : asked);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        OK(close(fd[0]));
        OK(close(epfd));
    }
}
