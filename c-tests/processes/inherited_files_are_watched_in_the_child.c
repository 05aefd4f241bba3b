// Child and parent watch files made before the fork, each in its own set. Every
// edge reaches both, a level lasts in both, and a close in one process does not
// silence the other.
// Source: fork(2). Contract: 36, 37
#include "harness.h"

static void reports(int epfd, int fd, int edge)
{
    EXPECT_ONE(epfd, fd, EPOLLIN);
    if (edge)
        EXPECT_NOTHING_NOW(epfd);
    else
        EXPECT_ONE(epfd, fd, EPOLLIN);
}

static void test(void)
{
    for (int kind = 0; kind < 4; kind++)
        for (int edge = 0; edge < 2; edge++) {
            const uint32_t mask = EPOLLIN | (edge ? EPOLLET : 0);
            int fd[2], to_child[2], to_parent[2];
            char c;
            OK(pipe(to_child));
            OK(pipe(to_parent));
            switch (kind) {
            case 0: pipe_pair(fd); break;
            case 1: unix_stream(fd); break;
            case 2: tcp_pair(fd); break;
            case 3: udp_pair(fd); break;
            }
            pid_t pid = fork_child();
            if (pid == 0) {
                int epfd = ep_new();
                OK(ep_add(epfd, fd[0], mask));
                put(to_parent[1], "r");
                for (int i = 0; i < 5; i++) {
                    reports(epfd, fd[0], edge);
                    put(to_parent[1], "s");
                    CHECK_EQ(read(to_child[0], &c, 1), 1);
                }
                OK(ep_del(epfd, fd[0]));
                OK(close(epfd));
                OK(close(fd[0]));
                put(to_parent[1], "e");
                CHECK_EQ(read(to_child[0], &c, 1), 1);
                _exit(0);
            }
            int epfd = ep_new();
            OK(ep_add(epfd, fd[0], mask));
            CHECK_EQ(read(to_parent[0], &c, 1), 1);
            for (int i = 0; i < 5; i++) {
                put(fd[1], "x");
                reports(epfd, fd[0], edge);
                CHECK_EQ(read(to_parent[0], &c, 1), 1); // the child has seen the event
                if (!edge)
                    drain_exactly(fd[0], 1);
                put(to_child[1], "n");
            }
            CHECK_EQ(read(to_parent[0], &c, 1), 1); // the child has closed its fd
            for (int i = 0; i < 3; i++) {
                EXPECT_NOTHING_NOW(epfd);
                put(fd[1], "x");
                reports(epfd, fd[0], edge);
                drain(fd[0]);
            }
            put(to_child[1], "n");
            child_must_pass(pid);
            close_pair(to_child);
            close_pair(to_parent);
            close_pair(fd);
            OK(close(epfd));
        }
}
