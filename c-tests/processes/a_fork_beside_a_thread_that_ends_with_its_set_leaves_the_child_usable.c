// A process forks just as one of its threads ends, right after it used and closed a large set. The child makes and uses
// a set of its own. All threads share one CPU, where the ending thread runs only while the others sleep, so the fork
// can find it at any point.
// Alone: its thread of the lowest priority would not run beside others.
// Source: fork(2). Contract: 36
#include "harness.h"
#include <sched.h>
#include <sys/prctl.h>

enum { FILES = 300, TURNS = 1500, SPREAD_NS = 60000 };

static int file[FILES];
static _Atomic bool ends;

static void *uses_a_set_last(void *unused)
{
    struct sched_param none = {0};
    OK(sched_setscheduler(0, SCHED_IDLE, &none));
    int epfd = ep_new();
    for (int i = 0; i < FILES; i++)
        OK(ep_add(epfd, file[i], EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    OK(close(epfd));
    ends = true;
    return unused;
}

static void test(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(OK(sched_getcpu()), &one);
    OK(sched_setaffinity(0, sizeof one, &one));
    OK(prctl(PR_SET_TIMERSLACK, 1));
    for (int i = 0; i < FILES; i++)
        file[i] = event_fd();
    int64_t end = now_ns() + 5000000000; // in case other programs use the CPU
    for (int turn = 0; turn < TURNS && now_ns() < end; turn++) {
        pthread_t thread;
        ends = false;
        CHECK_EQ(pthread_create(&thread, NULL, uses_a_set_last, NULL), 0);
        while (!ends)
            OK(nanosleep(&(struct timespec){0, 20000}, NULL));
        OK(nanosleep(&(struct timespec){0, 1000 + turn * 7919 % SPREAD_NS}, NULL));
        pid_t pid = fork_child();
        if (pid == 0) {
            alarm(WAIT_MS / 1000);
            int own = ep_new();
            bump(file[0], 1);
            OK(ep_add(own, file[0], EPOLLIN));
            EXPECT_ONE(own, file[0], EPOLLIN);
            _exit(0);
        }
        child_must_pass(pid);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        drain(file[0]);
    }
    for (int i = 0; i < FILES; i++)
        OK(close(file[i]));
}
