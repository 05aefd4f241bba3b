// A child takes the files out of its inherited set, one after the other, by DEL
// or close. The files that are left go on reporting, level and edge, whether
// the parent watches them by polling or by signals.
// Source: fork(2). Contract: 12, 36
#include "harness.h"

enum { FILES = 12 };

static void test(void)
{
    int epfd = ep_new(), in[FILES], out[FILES];
    for (int i = 0; i < FILES; i++) {
        int fd[2];
        if (i % 3 == 0)
            fd[0] = fd[1] = event_fd();
        else if (i % 3 == 1)
            unix_stream(fd);
        else
            pipe_pair(fd);
        in[i] = fd[0], out[i] = fd[1];
        OK(ep_add(epfd, in[i], EPOLLIN | (i % 2 ? EPOLLET : 0)));
    }
    pid_t pid = fork_child();
    if (pid == 0) {
        for (int gone = 0; gone < FILES; gone++) {
            if (gone % 2)
                OK(ep_del(epfd, in[gone]));
            else
                OK(close(in[gone]));
            for (int i = gone + 1; i < FILES; i++) {
                struct waiter w;
                if (i == gone + 1)
                    waiter_block(&w, epfd);
                bump(out[i], 1);
                if (i == gone + 1)
                    waiter_join_with(&w, in[i], EPOLLIN);
                else
                    EXPECT_ONE(epfd, in[i], EPOLLIN);
                drain(in[i]);
            }
            EXPECT_NOTHING_NOW(epfd);
        }
        _exit(0);
    }
    child_must_pass(pid);
    for (int i = 0; i < FILES; i++) {
        OK(close(in[i]));
        if (out[i] != in[i])
            OK(close(out[i]));
    }
    OK(close(epfd));
}
