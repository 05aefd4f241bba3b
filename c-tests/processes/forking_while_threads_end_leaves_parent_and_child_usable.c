// A process forks while other threads, which have all used a set, are ending.
// The child makes and uses a set of its own, and the parent's set works on.
// Source: fork(2). Contract: 36
#include "harness.h"

static int epfd;
static _Atomic bool stop;

static void *looks_once(void *unused)
{
    struct epoll_event ev[1];
    (void)unused;
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
    return NULL;
}

static void *starts_threads(void *unused)
{
    (void)unused;
    while (!stop) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, looks_once, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread[3];
    int file = event_fd();
    int64_t end = now_ns() + 1000000000;
    epfd = ep_new();
    OK(ep_add(epfd, file, EPOLLIN));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, starts_threads, NULL), 0);
    for (int i = 0; i < 200 && now_ns() < end; i++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            int own = ep_new(), mine = event_fd();
            OK(ep_add(own, mine, EPOLLIN));
            bump(mine, 1);
            EXPECT_ONE(own, mine, EPOLLIN);
            _exit(0);
        }
        child_must_pass(pid);
    }
    stop = true;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    bump(file, 1);
    EXPECT_ONE(epfd, file, EPOLLIN);
    OK(close(file));
    OK(close(epfd));
}
