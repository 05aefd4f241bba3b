// Other processes and threads: children, and whether a thread sleeps.
#ifndef HARNESS_PROCESS_H
#define HARNESS_PROCESS_H

#include "check.h"
#include "clock.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// Forks a child that cannot outlive a failed test.
static inline pid_t fork_child(void)
{
    pid_t parent = getpid(), pid = OK(fork());
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

static inline void child_must_pass(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) == -1)
        CHECK_EQ(errno, EINTR);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        FAIL("child ended with wait status %#x", status);
}

static inline bool is_asleep(pid_t tid)
{
    char path[64], text[512], *after_name;
    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    after_name = strrchr(text, ')');
    return after_name && after_name[2] == 'S';
}

// The thread is asleep each time, several times in a row, so it waits in the
// kernel for something and is not just passing through a short lock.
static inline void until_asleep(pid_t tid)
{
    int64_t end = now_ns() + WAIT_MS * 1000000LL;
    for (int seen = 0; seen < 4; sleep_ms(1)) {
        seen = is_asleep(tid) ? seen + 1 : 0;
        if (now_ns() > end)
            FAIL("thread %d never went to sleep", tid);
    }
}

#endif
