// An edge-triggered eventfd was reported and is never read, as mio's wakers are. The waiter sleeps on, and nothing
// wakes it in between. A waiter that woke every few milliseconds would keep the machine awake.
// Source: epoll(7). Contract: 20
#include "harness.h"
#include <spawn.h>

extern char **environ;

static long sleeps(void)
{
    struct rusage usage;
    OK(getrusage(RUSAGE_SELF, &usage));
    return usage.ru_nvcsw;
}

// Spawns a program that does not inherit the eventfd, with another standard output, as a runtime does.
static void spawn_true(void)
{
    char *argv[] = {"true", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int p[2], status;
    OK(pipe2(p, O_CLOEXEC));
    CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, p[1], 1), 0);
    CHECK_EQ(posix_spawnp(&pid, "true", &actions, NULL, argv, environ), 0);
    CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    close_pair(p);
}

static void test(void)
{
    int epfd = ep_new(), e = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    struct epoll_event events[4];
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            spawn_true();
        bump(e, 1);
        EXPECT_ONE(epfd, e, EPOLLIN);
        long before = sleeps();
        CHECK_EQ(epoll_wait(epfd, events, 4, 300), 0);
        long count = sleeps() - before;
        if (count > 10)
            FAIL("slept %ld times in 300 ms", count);
    }
    OK(close(e));
    OK(close(epfd));
}
