// A program watches files that it was started with, standard input and another
// fd, level and edge. Its parent holds copies of them.
// Source: execve(2). Contract: 37
#include "harness.h"

static void test(void)
{
    if (test_argv[1]) { // the started program answers each byte that it sees on 0 and on the other fd
        int other = atoi(test_argv[1]), edge = atoi(test_argv[2]);
        int in[] = {0, other}, epfd = ep_new();
        for (int i = 0; i < 2; i++)
            OK(ep_add(epfd, in[i], EPOLLIN | (edge ? EPOLLET : 0)));
        for (int round = 0; round < 5; round++)
            for (int i = 0; i < 2; i++) {
                put(1, "r");
                EXPECT_ONE(epfd, in[i], EPOLLIN);
                if (edge) {
                    EXPECT_NOTHING_NOW(epfd);
                } else {
                    EXPECT_ONE(epfd, in[i], EPOLLIN);
                    CHECK_EQ(drain(in[i]), 1);
                }
            }
        put(1, "r");
        EXPECT_ONE(epfd, 0, EPOLLHUP | (edge ? EPOLLIN : 0));
        _exit(0);
    }
    for (int edge = 0; edge < 2; edge++) {
        int p[2], s[2], answers[2];
        char fd_text[12], c;
        OK(pipe(answers));
        pipe_pair(p);
        unix_stream(s);
        pid_t pid = fork_child();
        if (pid == 0) {
            snprintf(fd_text, sizeof fd_text, "%d", s[0]);
            OK(dup2(p[0], 0));
            OK(dup2(answers[1], 1));
            OK(close(p[1]));
            execl("/proc/self/exe", test_argv[0], fd_text, edge ? "1" : "0", NULL);
            _exit(1);
        }
        for (int round = 0; round < 5; round++) {
            CHECK_EQ(read(answers[0], &c, 1), 1);
            put(p[1], "x");
            CHECK_EQ(read(answers[0], &c, 1), 1);
            put(s[1], "x");
        }
        CHECK_EQ(read(answers[0], &c, 1), 1);
        OK(close(p[1]));
        child_must_pass(pid);
        OK(close(p[0]));
        close_pair(s);
        close_pair(answers);
    }
}
