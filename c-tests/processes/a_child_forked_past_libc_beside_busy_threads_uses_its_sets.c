// _Fork, raw system calls and clone make children while two threads are inside
// epoll calls. No lock may stay held in a child: it uses its inherited set and
// a set of its own, and ends. 500 times.
// Source: fork(2), _Fork(3), clone(2). Contract: 36
#include "harness.h"
#include <sched.h>

static int epfd;
static _Atomic bool stop;
static _Atomic int busy;

static void *traffic(void *unused)
{
    int s[2];
    struct epoll_event ev[4];
    (void)unused;
    unix_stream(s);
    busy++;
    while (!stop) {
        OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
        put(s[1], "x");
        wait_events(epfd, ev, 4, 0);
        OK(ep_mod(epfd, s[0], EPOLLIN));
        drain(s[0]);
        OK(ep_del(epfd, s[0]));
    }
    close_pair(s);
    return NULL;
}

static int in_child(void *unused)
{
    struct epoll_event ev[4];
    int own = ep_new(), t[2];
    (void)unused;
    unix_stream(t);
    OK(ep_add(own, t[0], EPOLLIN | EPOLLET));
    put(t[1], "x");
    EXPECT_ONE(own, t[0], EPOLLIN);
    EXPECT_NOTHING_NOW(own);
    wait_events(epfd, ev, 4, 0);
    OK(ep_add(epfd, t[0], EPOLLIN));
    OK(close(epfd));
    OK(close(own));
    _exit(0);
}

static pid_t make_child(int how)
{
    static char stack[1 << 16] __attribute__((aligned(64)));
    pid_t pid;
    switch (how) {
    case 0:
        pid = _Fork();
        break;
    case 1:
        pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        break;
    case 2:
        return clone(in_child, stack + sizeof stack, SIGCHLD, NULL);
    default:
#ifdef SYS_fork
        pid = syscall(SYS_fork);
#else
        pid = fork();
#endif
    }
    if (pid == 0)
        in_child(NULL);
    return pid;
}

static void test(void)
{
    pthread_t thread[2];
    epfd = ep_new();
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, traffic, NULL), 0);
    while (busy < 2)
        sched_yield();
    for (int i = 0; i < 500; i++) {
        pid_t pid = make_child(i % 4);
        CHECK(pid > 0);
        child_must_pass(pid);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(epfd));
}
