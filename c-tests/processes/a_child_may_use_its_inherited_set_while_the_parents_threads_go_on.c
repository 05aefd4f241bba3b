// A process forks while other threads are inside epoll calls. The child waits
// on its inherited set, changes items to the masks they have, adds and deletes
// its own items, makes another set and closes the first. The parent's set
// reports every byte.
// Source: fork(2). Contract: 36
#include "harness.h"

enum { CHILDREN = 25 };
static int epfd, s[2], t[2];
static _Atomic bool stop;
static _Atomic long sent, served;

static void *sends(void *unused)
{
    (void)unused;
    while (!stop) {
        put(s[1], "x");
        sent++;
        UNTIL(served == sent);
    }
    return NULL;
}

static void *serves(void *unused)
{
    struct epoll_event ev[4];
    (void)unused;
    while (!stop || served < sent) {
        int n = wait_events(epfd, ev, 4, 5);
        if (n > 0) {
            CHECK_EVENT(ev[0], 1, EPOLLIN);
            served += drain(s[0]);
        }
    }
    return NULL;
}

// Makes only changes that the parent would not see if both had the same set.
static void child(void)
{
    int own[2], second = ep_new();
    unix_stream(own);
    for (int i = 0; i < 3; i++) {
        OK(ep_ctl(epfd, EPOLL_CTL_MOD, t[0], EPOLLIN | EPOLLET, 2));
        OK(ep_add(epfd, own[0], 0));
        OK(ep_mod(epfd, own[0], EPOLLERR));
        OK(ep_del(epfd, own[0]));
        OK(ep_add(second, own[0], EPOLLIN));
        put(own[1], "x");
        EXPECT_ONE(second, own[0], EPOLLIN);
        CHECK_EQ(drain(own[0]), 1);
        OK(ep_del(second, own[0]));
    }
    OK(close(epfd));
    OK(close(s[0]));
    OK(close(t[0]));
    EXPECT_NOTHING_NOW(second);
    _exit(0);
}

static void test(void)
{
    pthread_t thread[2];
    epfd = ep_new();
    unix_stream(s);
    unix_stream(t);
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[0], EPOLLIN, 1));
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, t[0], EPOLLIN | EPOLLET, 2));
    CHECK_EQ(pthread_create(&thread[0], NULL, serves, NULL), 0);
    CHECK_EQ(pthread_create(&thread[1], NULL, sends, NULL), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork_child();
        if (pid == 0)
            child();
        child_must_pass(pid);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_NOTHING_NOW(epfd);
    put(t[1], "x");
    EXPECT_ONE(epfd, 2, EPOLLIN);
    close_pair(s);
    close_pair(t);
    OK(close(epfd));
}
