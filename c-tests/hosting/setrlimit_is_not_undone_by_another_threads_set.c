// One thread lowers and raises RLIMIT_NOFILE and reads it back, while another
// makes the process's first sets: the limit is always the one that was set
// last. Each round is a new process.
// Source: setrlimit(2). Contract: 1
#include "harness.h"

static _Atomic bool go, stop;

static void *makes_sets(void *unused)
{
    (void)unused;
    while (!go)
        ;
    for (int i = 0; i < 20; i++) {
        int epfd = ep_new();
        struct pollfd p = {epfd, POLLIN, 0};
        CHECK_EQ(poll(&p, 1, 0), 0);
        OK(close(epfd));
    }
    stop = true;
    return NULL;
}

static void child(void)
{
    pthread_t thread;
    struct rlimit limit, now;
    CHECK_EQ(pthread_create(&thread, NULL, makes_sets, NULL), 0);
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    go = true;
    for (int i = 0; !stop; i++) {
        limit.rlim_cur = 200 + i % 100;
        OK(setrlimit(RLIMIT_NOFILE, &limit));
        for (int n = 0; n < 3; n++) {
            OK(n == 1 ? prlimit(0, RLIMIT_NOFILE, NULL, &now)
                      : getrlimit(RLIMIT_NOFILE, &now));
            CHECK_EQ(now.rlim_cur, limit.rlim_cur);
            CHECK_EQ(now.rlim_max, limit.rlim_max);
        }
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    _exit(0);
}

static void test(void)
{
    for (int i = 0; i < 150; i++) {
        pid_t pid = fork_child();
        if (pid == 0)
            child();
        child_must_pass(pid);
    }
}
