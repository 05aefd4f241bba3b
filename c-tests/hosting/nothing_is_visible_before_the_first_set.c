// A program that does not use epoll has one thread, no extra fd, an empty
// signal mask and default signal actions, from its first line on.
// Source: proc(5). Contract: 1
#include "harness.h"
#include <dirent.h>

static int entries(const char *path, int *highest)
{
    DIR *dir = opendir(path);
    int count = 0;
    *highest = -1;
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' ||
            (strstr(path, "/fd") && fd == dirfd(dir)))
            continue;
        count++;
        if (fd > *highest)
            *highest = fd;
    }
    closedir(dir);
    return count;
}

static void test(void)
{
    int highest;
    if (!test_argv[1]) { // run again, with only the three standard fds
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigset_t none;
        pid_t pid = fork_child();
        if (pid == 0) {
            sigemptyset(&none);
            OK(sigprocmask(SIG_SETMASK, &none, NULL));
            for (int signo = 1; signo <= SIGRTMAX; signo++)
                sigaction(signo, &standard, NULL);
            OK(close_range(3, ~0U, 0));
            execl("/proc/self/exe", test_argv[0], "again", NULL);
            _exit(1);
        }
        child_must_pass(pid);
        return;
    }
    CHECK_EQ(entries("/proc/self/task", &highest), 1);
    CHECK_EQ(entries("/proc/self/fd", &highest), 3);
    CHECK_EQ(highest, 2);
    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        struct sigaction now;
        sigset_t mask;
        if (signo >= 32 && signo < SIGRTMIN)
            continue;
        OK(sigaction(signo, NULL, &now));
        CHECK(now.sa_handler == SIG_DFL);
        OK(sigprocmask(SIG_BLOCK, NULL, &mask));
        CHECK_EQ(sigismember(&mask, signo), 0);
    }
}
