// If a user has as many items as /proc/sys/fs/epoll/max_user_watches says, the
// next ADD is ENOSPC. EEXIST comes before that, and the check of paths after
// it. After a DEL or a close the user may add again.
// Source: epoll(7), /proc interfaces; Linux: fs/eventpoll.c:ep_insert.
// Contract: 3
#include "harness.h"
#include <sys/file.h>

enum { LIMIT = 20000, FILES = 200, USER = 54321 };

static long number(const char *text, bool put)
{
    char now[32] = "";
    int fd = open("/proc/sys/fs/epoll/max_user_watches", put ? O_WRONLY : O_RDONLY);
    if (fd == -1 || (put ? write(fd, text, strlen(text)) : read(fd, now, 31)) <= 0)
        SKIP("max_user_watches cannot be changed: %s", strerrorname_np(errno));
    OK(close(fd));
    return atol(now);
}

// Another process of the same user. The kernel counts the items of both
// together; preloaded, each process counts its own.
static void another(int full)
{
    char byte;
    OK(setgid(USER));
    OK(setuid(USER));
    CHECK_EQ(read(full, &byte, 1), 1);
    int epfd = ep_new(), result = 0;
    // More items than the slack of the kernel's per-CPU counts.
    for (int i = 0; i < 1000 && result == 0; i++)
        result = ep_add(epfd, event_fd(), EPOLLIN);
    if (emulated())
        CHECK_EQ(result, 0);
    else
        CHECK_EQ(errno, ENOSPC);
    _exit(0);
}

// The kernel counts each user's items apart, so no other user meets the limit.
static void fill_up(void)
{
    int file[FILES], epfd = -1, added = 0, at = 0, pipe[2];
    OK(pipe2(pipe, O_CLOEXEC));
    pid_t other = fork_child();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        another(pipe[0]);
    }
    OK(setgid(USER));
    OK(setuid(USER));
    for (int i = 0; i < FILES; i++)
        file[i] = event_fd();
    for (;; added++, at++) {
        if (added % FILES == 0)
            epfd = ep_new(), at = 0;
        if (ep_add(epfd, file[at], EPOLLIN) == -1)
            break;
        CHECK(added <= LIMIT);
    }
    CHECK_EQ(errno, ENOSPC);
    // The kernel counts per CPU, so it compares with some slack.
    CHECK(added >= LIMIT - 1000);
    CHECK_ERR(ep_add(epfd, file[at], EPOLLIN), ENOSPC);
    put(pipe[1], "f");
    child_must_pass(other);
    int last = at > 0 ? epfd : epfd - 1, one = at > 0 ? 0 : 1;
    CHECK_ERR(ep_add(last, file[one], EPOLLIN), EEXIST);
    CHECK_ERR(ep_mod(epfd, file[at], EPOLLIN), ENOENT);
    // After a DEL or a close there is room again.
    OK(ep_del(last, file[one]));
    OK(ep_add(last, file[one], EPOLLIN));
    OK(close(file[one + 1]));
    OK(ep_add(epfd, event_fd(), EPOLLIN));
}

// Puts the limit back when the test is over, also when the test is killed.
static pid_t guard(const char *was, int *alive)
{
    int fd[2];
    char end;
    OK(pipe2(fd, O_CLOEXEC));
    pid_t pid = OK(fork());
    if (pid == 0) {
        OK(close(fd[1]));
        setsid();
        while (read(fd[0], &end, 1) == -1)
            ;
        number(was, true);
        _exit(0);
    }
    OK(close(fd[0]));
    *alive = fd[1];
    return pid;
}

static void test(void)
{
    char was[32];
    int status, alive;
    if (geteuid() != 0)
        SKIP("only root can lower max_user_watches");
    // Only one test at a time lowers the limit.
    int turn = OK(open("/proc/sys/fs/epoll/max_user_watches", O_RDONLY | O_CLOEXEC));
    OK(flock(turn, LOCK_EX));
    snprintf(was, sizeof was, "%ld", number(NULL, false));
    pid_t guardian = guard(was, &alive);
    number("20000", true);
    pid_t pid = fork_child();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        fill_up();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    OK(close(alive));
    child_must_pass(guardian);
    CHECK_EQ(number(NULL, false), atol(was));
    OK(close(turn));
    CHECK_EQ(status, 0);
}
