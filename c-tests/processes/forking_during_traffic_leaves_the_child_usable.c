// A process forks while other threads are inside epoll calls. No lock may stay
// held in the child: it makes a set, uses it and ends. 40 times.
// Source: fork(2). Contract: 36
#include "harness.h"

static int epfd;
static _Atomic bool stop;

static void *traffic(void *unused)
{
    int s[2];
    struct epoll_event ev[4];
    (void)unused;
    unix_stream(s);
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

static void test(void)
{
    pthread_t thread[2];
    epfd = ep_new();
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, traffic, NULL), 0);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            struct epoll_event ev[4];
            int own = ep_new(), t[2];
            unix_stream(t);
            OK(ep_add(own, t[0], EPOLLIN | EPOLLET));
            put(t[1], "x");
            EXPECT_ONE(own, t[0], EPOLLIN);
            EXPECT_NOTHING_NOW(own);
            wait_events(epfd, ev, 4, 0);
            OK(close(epfd));
            OK(close(own));
            _exit(0);
        }
        child_must_pass(pid);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(epfd));
}
