// An eventfd was reported here and not read. Another program gets it, by each way to start a program, reads it to the
// end and writes to it later: the waiter here wakes. The same holds if the program was started before the first set was
// made.
// Source: Linux: fs/eventfd.c:eventfd_write. Contract: 20, 37
#include "harness.h"
#include "harness/looks.h"
#include <sched.h>
#include <spawn.h>

extern char **environ;

static char fd_text[16], go[16]; // the eventfd, and a pipe's reading end: a byte tells the program to read

static void become_it(void)
{
    char *argv[] = {test_argv[0], fd_text, go, NULL};
    execv("/proc/self/exe", argv);
    _exit(99);
}

static int becomes_it(void *unused)
{
    (void)unused;
    become_it();
    return 99;
}

static void by_vfork(void)
{
    if (vfork() == 0)
        become_it();
}

static void by_bare_fork(void)
{
    if (_Fork() == 0)
        become_it();
}

#ifdef SYS_fork
static void by_the_system_call(void)
{
    if (syscall(SYS_fork) == 0)
        become_it();
}
#endif

static void by_clone(void)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    OK(clone(becomes_it, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
}

static void by_spawn(void)
{
    char *argv[] = {test_argv[0], fd_text, go, NULL};
    CHECK_EQ(posix_spawn(NULL, "/proc/self/exe", NULL, NULL, argv, environ), 0);
}

// The fd is closed on exec, but its copy is not.
static void by_spawn_with_a_copy(void)
{
    int e = atoi(fd_text);
    char copy[16], *argv[] = {test_argv[0], copy, go, NULL};
    sprintf(copy, "%d", e + 50);
    OK(fcntl(e, F_SETFD, FD_CLOEXEC));
    posix_spawn_file_actions_t actions;
    CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, e, e + 50), 0);
    CHECK_EQ(posix_spawnp(NULL, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
}

static void by_the_shell(void)
{
    char command[PATH_MAX + 64], self[PATH_MAX];
    self[OK(readlink("/proc/self/exe", self, sizeof self - 1))] = 0;
    snprintf(command, sizeof command, "'%s' %s %s &", self, fd_text, go);
    CHECK_EQ(system(command), 0);
}

static void by_a_pipe_to_the_shell(void)
{
    char command[PATH_MAX + 64], self[PATH_MAX];
    self[OK(readlink("/proc/self/exe", self, sizeof self - 1))] = 0;
    snprintf(command, sizeof command, "'%s' %s %s >/dev/null &", self, fd_text, go);
    CHECK_EQ(pclose(popen(command, "r")), 0);
}

static void (*const ways[])(void) = {
    by_vfork, by_bare_fork, by_clone, by_spawn, by_spawn_with_a_copy, by_the_shell, by_a_pipe_to_the_shell,
#ifdef SYS_fork
    by_the_system_call,
#endif
};

static void the_new_program(int e, int start)
{
    char byte;
    alarm(WAIT_MS / 1000); // in case the parent never tells it to go on
    CHECK_EQ(read(start, &byte, 1), 1);
    pid_t waiter = atoi(getenv("WAITER"));
    long before = sleeps_of(waiter);
    CHECK_EQ(drain(e), 8);
    await_a_look(waiter, before);
    bump(e, 1);
}

static void hand_on(size_t way, bool before_the_set)
{
    int start[2], e = OK(eventfd(0, EFD_NONBLOCK));
    OK(pipe(start));
    sprintf(fd_text, "%d", e);
    sprintf(go, "%d", start[0]);
    char self[16];
    sprintf(self, "%d", getpid());
    OK(setenv("WAITER", self, 1));
    if (before_the_set)
        ways[way]();
    int epfd = ep_new();
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);
    if (!before_the_set)
        ways[way]();
    CHECK_EQ(write(start[1], "x", 1), 1);
    struct epoll_event ev[1];
    if (epoll_wait(epfd, ev, 1, WAIT_MS) != 1)
        FAIL("way %zu, %s the set: the write of the new program was missed", way, before_the_set ? "before" : "after");
    int status;
    while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
        CHECK_EQ(status, 0);
}

static void test(void)
{
    if (test_argv[1]) {
        the_new_program(atoi(test_argv[1]), atoi(test_argv[2]));
        return;
    }
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        for (int before_the_set = 0; before_the_set < 2; before_the_set++) {
            pid_t child = OK(fork());
            if (child == 0) {
                hand_on(way, before_the_set);
                exit(0);
            }
            int status;
            CHECK_EQ(waitpid(child, &status, 0), child);
            CHECK_EQ(status, 0);
        }
    }
}
