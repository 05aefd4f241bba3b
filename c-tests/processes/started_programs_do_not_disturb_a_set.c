// While a set is in use, system, posix_spawn, popen and vfork with exec start
// programs. The programs run, the set works on, and ends with close-on-exec are
// really closed.
// Source: vfork(2), posix_spawn(3). Contract: 8, 36
#include "harness.h"
#include <spawn.h>

extern char **environ;

static void test(void)
{
    int epfd = ep_new(), s[2], p[2], status;
    char *argv[] = {"true", NULL}, line[16];
    struct epoll_event ev[1];
    pid_t pid;
    unix_stream(s);
    OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, p[0], EPOLLIN));
    for (int round = 0; round < 3; round++) {
        put(s[1], "x");
        CHECK_EQ(system("true"), 0);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(WEXITSTATUS(system("exit 3")), 3);
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);

        CHECK_EQ(posix_spawnp(&pid, "true", NULL, NULL, argv, environ), 0);
        child_must_pass(pid);
        EXPECT_NOTHING_NOW(epfd);
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);

        FILE *stream = popen("echo hello", "r");
        CHECK(stream);
        OK(ep_add(epfd, fileno(stream), EPOLLIN));
        // HUP comes too if the program has already ended.
        CHECK_EQ(wait_events(epfd, ev, 1, WAIT_MS), 1);
        CHECK_EQ(ev[0].data.u64, fileno(stream));
        CHECK(ev[0].events & EPOLLIN);
        CHECK(fgets(line, sizeof line, stream) && !strcmp(line, "hello\n"));
        CHECK_EQ(pclose(stream), 0);

        pid = vfork();
        if (pid == 0) {
            execlp("true", "true", (char *)NULL);
            _exit(1);
        }
        OK(pid);
        child_must_pass(pid);
        pid = vfork();
        if (pid == 0)
            _exit(5);
        OK(pid);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(WEXITSTATUS(status), 5);
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        EXPECT_NOTHING(epfd);
    }
    // A program that is started now does not hold the write end open.
    CHECK_EQ(system("sleep 1 >/dev/null 2>&1 &"), 0);
    OK(close(p[1]));
    EXPECT_ONE(epfd, p[0], EPOLLHUP);
    OK(close(p[0]));
    close_pair(s);
    OK(close(epfd));
}
