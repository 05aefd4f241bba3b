// A child's first call is fork or daemon. In the process that this makes, two threads that wait on one set stay asleep:
// they do not wake every few milliseconds to look.
// Source: fork(2), daemon(3). Contract: 36
#include "harness.h"
#include "harness/looks.h"

static void rests(void)
{
    struct waiter w[2];
    int epfd = ep_new(), e = event_fd();
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    for (int i = 0; i < 2; i++)
        waiter_block(&w[i], epfd);
    // The library's own thread may still be starting. This thread is awake, so it is left out.
    bool rest = false;
    for (int tries = 0; !rest && tries < 50; tries++) {
        long before = sleeps_of_others();
        sleep_ms(200);
        long after = sleeps_of_others();
        rest = before >= 0 && after >= 0 && after - before <= 2;
    }
    CHECK(rest);
    for (int i = 0; i < 2; i++) {
        bump(e, 1);
        UNTIL(w[0].done + w[1].done == i + 1);
    }
    for (int i = 0; i < 2; i++)
        waiter_join(&w[i]);
    OK(close(e));
    OK(close(epfd));
}

static void test(void)
{
    for (int with_daemon = 0; with_daemon < 2; with_daemon++) {
        int done[2];
        OK(pipe(done));
        pid_t pid = fork_child();
        if (pid == 0) {
            if (with_daemon) {
                OK(daemon(1, 1)); // the parent of the daemon is the test's child, and exits with 0
            } else {
                pid_t child = fork();
                CHECK(child >= 0);
                if (child == 0)
                    _exit(0);
                CHECK_EQ(waitpid(child, NULL, 0), child);
            }
            rests();
            CHECK_EQ(write(done[1], "x", 1), 1);
            _exit(0);
        }
        char byte;
        OK(close(done[1]));
        child_must_pass(pid);
        CHECK_EQ(read(done[0], &byte, 1), 1);
        OK(close(done[0]));
    }
}
