// A handler leaves the wait that it interrupted by siglongjmp, several times.
// Later waits get their events, and no wait takes an event away from another.
// Source: sigsetjmp(3), signal-safety(7). Contract: 8
#include "harness.h"
#include <setjmp.h>

static sigjmp_buf before;

static void on_signal(int signo)
{
    (void)signo;
    siglongjmp(before, 1);
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    int epfd = ep_new(), s[2], file = event_fd();
    pid_t me = getpid();
    struct waiter w;
    unix_stream(s);
    OK(ep_add(epfd, file, EPOLLIN));
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(sigaction(SIGUSR1, &action, NULL));
    for (volatile int i = 0; i < 5; i++) {
        volatile pid_t pid = 0;
        if (sigsetjmp(before, 1) == 0) {
            struct epoll_event ev[1];
            pid = fork_child();
            if (pid == 0) {
                until_asleep(me);
                OK(kill(me, SIGUSR1));
                _exit(0);
            }
            epoll_wait(epfd, ev, 1, -1);
            FAIL("the wait returned");
        }
        child_must_pass(pid);
    }
    EXPECT_NOTHING_NOW(epfd);
    waiter_block(&w, epfd);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    waiter_block(&w, epfd);
    bump(file, 1);
    waiter_join_with(&w, file, EPOLLIN);
    EXPECT_ONE(epfd, file, EPOLLIN);
    close_pair(s);
    OK(close(file));
    OK(close(epfd));
}
