// A program that uses a set executes another, which inherits exactly the fds
// that were left open for it, whatever their values.
// Source: execve(2). Contract: 2, 38
#include "harness.h"
#include <dirent.h>

static void test(void)
{
    if (test_argv[1]) { // prints no names; exits with 0 if only 0, 1, 2 and the given fds are open
        DIR *dir = opendir("/proc/self/fd");
        CHECK(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
            int fd = atoi(entry->d_name);
            if (entry->d_name[0] == '.' || fd == dirfd(dir))
                continue;
            if (fd > 2 && fd != atoi(test_argv[1]))
                FAIL("fd %d is open after exec", fd);
        }
        _exit(0);
    }
    OK(unsetenv("LD_PRELOAD"));
    pid_t pid = fork_child();
    if (pid == 0) {
        char fd_text[12];
        int s[2], p[2];
        OK(close_range(3, ~0U, 0)); // closes what the test itself inherited
        int epfd = ep_new(), e = OK(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
        OK(pipe2(p, O_CLOEXEC));
        OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
        OK(ep_add(epfd, p[0], EPOLLIN));
        OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        EXPECT_NOTHING(epfd);
        OK(fcntl(s[0], F_SETFD, 0));
        snprintf(fd_text, sizeof fd_text, "%d", s[0]);
        execl("/proc/self/exe", test_argv[0], fd_text, NULL);
        _exit(1);
    }
    child_must_pass(pid);
}
