// A thread has used a set under an fd. Since then another thread has made a set under this fd, or a dup of another set.
// What the first thread now changes by the fd is the new set. A change that races the close of its set harms neither
// set nor file.
// Source: epoll_ctl(2). Contract: 5, 12, 13
#include "harness.h"

static _Atomic int turn;
static _Atomic bool stop;
static int epfd, s[2], t[2];

static void *changes(void *unused)
{
    (void)unused;
    for (int n = 1; n <= 3; n++) {
        UNTIL(turn == n);
        OK(ep_add(epfd, s[0], EPOLLIN));
        OK(ep_mod(epfd, s[0], EPOLLOUT));
        CHECK_ERR(ep_add(epfd, s[0], EPOLLIN), EEXIST);
        turn = -n;
    }
    while (!stop) {
        const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
        for (int i = 0; i < 3; i++)
            if (ep_ctl(epfd, ops[i], t[0], EPOLLIN, t[0]) == -1)
                CHECK(errno == EBADF || errno == EEXIST || errno == ENOENT);
    }
    return NULL;
}

static void test(void)
{
    pthread_t thread;
    int first = ep_new(), other = ep_new();
    epfd = first;
    unix_stream(s);
    unix_stream(t);
    CHECK_EQ(pthread_create(&thread, NULL, changes, NULL), 0);
    turn = 1;
    UNTIL(turn == -1);
    EXPECT_ONE(first, s[0], EPOLLOUT);
    OK(close(first));
    CHECK_EQ(ep_new(), first);
    turn = 2;
    UNTIL(turn == -2);
    EXPECT_ONE(first, s[0], EPOLLOUT);
    OK(dup2(other, first));
    turn = 3;
    UNTIL(turn == -3);
    EXPECT_ONE(other, s[0], EPOLLOUT);
    OK(ep_del(other, s[0]));
    for (int n = 0; n < 3000; n++) {
        OK(close(first));
        CHECK_EQ(ep_new(), first);
    }
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(first));
    ep_del(other, t[0]); // it may have been added while `first` was a dup of `other`
    put(t[1], "x");
    EXPECT_NOTHING_NOW(other);
    OK(ep_add(other, t[0], EPOLLIN | EPOLLET));
    EXPECT_ONE(other, t[0], EPOLLIN);
    close_pair(s);
    close_pair(t);
    OK(close(other));
}
