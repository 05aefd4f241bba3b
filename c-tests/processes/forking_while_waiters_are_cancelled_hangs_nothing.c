// A process forks while other threads are cancelled at any point of a wait.
// Every child ends, every cancelled thread ends, and the set works on.
// Source: pthreads(7), cancellation points; fork(2). Contract: 26, 36
#include "harness.h"

static int epfd;
static _Atomic bool stop;

static void *waits(void *unused)
{
    struct epoll_event ev[1];
    (void)unused;
    epoll_wait(epfd, ev, 1, -1);
    return NULL;
}

static void *cancels(void *arg)
{
    unsigned seed = (uintptr_t)arg;
    while (!stop) {
        pthread_t thread;
        void *result;
        CHECK_EQ(pthread_create(&thread, NULL, waits, NULL), 0);
        for (volatile int n = rand_r(&seed) % 20000; n > 0; n--)
            ;
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED);
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread[2];
    int file = event_fd();
    int64_t end = now_ns() + 1000000000;
    epfd = ep_new();
    OK(ep_add(epfd, file, EPOLLIN));
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, cancels, (void *)(i + 1)), 0);
    for (int i = 0; i < 300 && now_ns() < end; i++) {
        pid_t pid = fork_child();
        if (pid == 0)
            _exit(0);
        child_must_pass(pid);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    bump(file, 1);
    EXPECT_ONE(epfd, file, EPOLLIN);
    OK(close(file));
    OK(close(epfd));
}
