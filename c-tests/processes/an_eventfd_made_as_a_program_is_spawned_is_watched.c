// One thread makes eventfds while another spawns a program, which inherits some of them. The last of these was reported
// here and not read. The program reads it to the end and writes to it later: the waiter here wakes.
// Source: posix_spawn(3); Linux: fs/eventfd.c:eventfd_write. Contract: 20, 37
#include "harness.h"
#include "harness/looks.h"
#include <spawn.h>

extern char **environ;

enum { ROUNDS = 20, MOST = 600 };

static int made[MOST], count;
static _Atomic int begun;

static void *makes_them(void *unused)
{
    for (count = 0; count < MOST; count++) {
        made[count] = OK(eventfd(0, EFD_NONBLOCK));
        begun++;
        for (volatile int i = 0; i < 300; i++)
            ;
    }
    return unused;
}

static int last_eventfd(void)
{
    char path[64], link[64];
    for (int fd = 1023; fd > 2; fd--) {
        sprintf(path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
        if (strcmp(link, "anon_inode:[eventfd]") == 0)
            return fd;
    }
    return -1;
}

static void the_program(int tell, int ask)
{
    char byte;
    int last = last_eventfd();
    alarm(WAIT_MS / 1000); // in case the parent never tells it to go on
    CHECK_EQ(write(tell, &last, sizeof last), sizeof last);
    if (last == -1)
        return;
    CHECK_EQ(read(ask, &byte, 1), 1);
    long before = sleeps_of(getppid());
    CHECK_EQ(drain(last), 8);
    await_a_look(getppid(), before);
    bump(last, 1);
}

static void one_round(int round)
{
    int tell[2], ask[2], last, epfd = ep_new();
    char fd_texts[2][16], *argv[] = {test_argv[0], fd_texts[0], fd_texts[1], NULL};
    struct epoll_event ev[1];
    pthread_t thread;
    pid_t pid;
    OK(pipe(tell));
    OK(pipe(ask));
    sprintf(fd_texts[0], "%d", tell[1]);
    sprintf(fd_texts[1], "%d", ask[0]);
    CHECK_EQ(pthread_create(&thread, NULL, makes_them, NULL), 0);
    while (begun < 20)
        ;
    CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(read(tell[0], &last, sizeof last), sizeof last);
    if (last != -1) {
        OK(ep_add(epfd, last, EPOLLIN | EPOLLET));
        bump(last, 1);
        EXPECT_ONE(epfd, last, EPOLLIN);
        CHECK_EQ(write(ask[1], "x", 1), 1);
        if (epoll_wait(epfd, ev, 1, WAIT_MS) != 1)
            FAIL("round %d: the write of the program to %d was missed", round, last);
    }
    child_must_pass(pid);
    exit(0);
}

static void test(void)
{
    struct rlimit limit;
    if (test_argv[1]) {
        the_program(atoi(test_argv[1]), atoi(test_argv[2]));
        return;
    }
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 1000;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pid = fork_child();
        if (pid == 0)
            one_round(round);
        child_must_pass(pid);
    }
}
