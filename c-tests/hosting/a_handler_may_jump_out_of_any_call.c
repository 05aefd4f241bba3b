// A handler that fires all the time leaves whatever call it interrupts by
// siglongjmp. The other threads go on, fork and change the set meanwhile.
// Contract: 21
#include "harness.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/time.h>

enum { JUMPS = 600, COPY = 100 };

static sigjmp_buf back;
static pthread_t jumper;
static volatile sig_atomic_t armed;
static volatile int jumps;
static volatile bool over;
static int epfd;

static void jump(int signal)
{
    (void)signal;
    if (!pthread_equal(pthread_self(), jumper) || !armed)
        return;
    armed = 0;
    jumps++;
    siglongjmp(back, 1);
}

static void *others_go_on(void *unused)
{
    struct epoll_event ev[4];
    for (int turn = 0; !over; turn++) {
        int ends[2], status;
        CHECK(epoll_wait(epfd, ev, 4, 1) >= 0 || errno == EINTR);
        OK(pipe(ends));
        OK(ep_add(epfd, ends[0], EPOLLIN));
        close_pair(ends);
        if (turn % 50 == 0) {
            pid_t child = fork();
            if (child == 0)
                _exit(0);
            while (waitpid(child, &status, 0) < 0)
                CHECK_EQ(errno, EINTR);
        }
    }
    return unused;
}

static void test(void)
{
    int ends[2];
    pthread_t thread;
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    jumper = pthread_self();
    epfd = ep_new();
    OK(pipe(ends));
    OK(ep_add(epfd, ends[0], EPOLLIN));
    put(ends[1], "x");
    CHECK_EQ(pthread_create(&thread, NULL, others_go_on, NULL), 0);
    CHECK(signal(SIGALRM, jump) != SIG_ERR);
    OK(setitimer(ITIMER_REAL, &often, NULL));
    while (jumps < JUMPS) {
        if (sigsetjmp(back, 1) != 0)
            continue;
        armed = 1;
        for (int call = 0; call < 50; call++) {
            struct epoll_event ev[4];
            epoll_wait(epfd, ev, 4, 0);
            ep_mod(epfd, ends[0], EPOLLIN);
            dup2(ends[0], COPY);
            close(COPY);
        }
        armed = 0;
    }
    OK(setitimer(ITIMER_REAL, &never, NULL));
    over = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(COPY);
    OK(close(epfd));
    close_pair(ends);
}
