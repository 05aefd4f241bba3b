// When close returns, the peer sees the end: a thread that waits on the set
// does not hold the file open, whatever was done to its item before.
// Source: epoll(7), Q6; close(2). Contract: 39
#include "harness.h"

enum { OTHERS = 3, TURNS = 40 };

enum before { NOTHING, CHANGED, DELETED, ADDED_ELSEWHERE, DUPLICATED, BEFORE };

static void turn(int kind, enum before before)
{
    int epfd = ep_new(), other = ep_new(), fd[2], stay[OTHERS][2];
    struct waiter w;
    char byte;
    (kind ? pipe_pair : unix_stream)(fd);
    for (int i = 0; i < OTHERS; i++) {
        unix_stream(stay[i]);
        OK(ep_add(epfd, stay[i][0], EPOLLIN));
    }
    OK(ep_add(epfd, fd[1], 0));
    waiter_block(&w, epfd);
    switch (before) {
    case CHANGED: OK(ep_mod(epfd, fd[1], EPOLLPRI)); break;
    case DELETED: OK(ep_del(epfd, fd[1])); break;
    case ADDED_ELSEWHERE: OK(ep_add(other, fd[1], 0)); break;
    case DUPLICATED: OK(close(OK(dup(fd[1])))); break;
    default: break;
    }
    OK(close(fd[1]));
    CHECK_EQ(read(fd[0], &byte, 1), 0);
    CHECK(!w.done);
    put(stay[0][1], "x");
    waiter_join_with(&w, stay[0][0], EPOLLIN);
    for (int i = 0; i < OTHERS; i++)
        close_pair(stay[i]);
    OK(close(fd[0]));
    OK(close(other));
    OK(close(epfd));
}

static void test(void)
{
    for (int n = 0; n < TURNS; n++)
        for (int kind = 0; kind < 2; kind++)
            for (enum before before = 0; before < BEFORE; before++)
                turn(kind, before);
}
