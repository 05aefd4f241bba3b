// A child with the same fd table reads a file that is watched here, makes and uses a set of its own, and ends. A thread
// that sleeps here sleeps on, and wakes for a file that another thread adds.
// Source: clone(2), CLONE_FILES. Contract: 14, 36
#include "harness.h"
#include <sched.h>

static int watched[2];

static int child(void *unused)
{
    char byte;
    (void)unused;
    CHECK_EQ(read(watched[0], &byte, 1), -1);
    OK(fcntl(watched[0], F_GETFL));
    int own = ep_new(), e = event_fd();
    OK(ep_add(own, e, EPOLLIN));
    bump(e, 1);
    EXPECT_ONE(own, e, EPOLLIN);
    OK(close(e));
    OK(close(own));
    _exit(0);
}

static void test(void)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    for (int turn = 0; turn < 20; turn++) {
        struct waiter w;
        int epfd = ep_new(), ready = event_fd();
        unix_stream(watched);
        bump(ready, 1);
        OK(ep_add(epfd, watched[0], EPOLLIN));
        waiter_start(&w, epfd);
        sleep_ms(30);
        OK(clone(child, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL));
        child_must_pass(-1);
        CHECK(!w.done);
        OK(ep_add(epfd, ready, EPOLLIN));
        waiter_join_with(&w, ready, EPOLLIN);
        close_pair(watched);
        OK(close(ready));
        OK(close(epfd));
    }
}
