// A signal ends a wait while a cancellation is pending: the wait does not
// return EINTR, and the thread ends as cancelled. glibc 2.41 cancels in this
// way, by a signal of its own. Here the test calls libc's pthread_cancel by its
// address, and then sends a signal.
// Source: pthreads(7), cancellation points; nptl/cancellation.c. Contract: 2
#include "harness.h"
#include <dlfcn.h>

static int epfd;
static _Atomic pid_t tid;

static void handler(int signal)
{
    (void)signal;
}

static void *waits(void *which)
{
    struct epoll_event ev[1];
    struct pollfd p = {epfd, POLLIN, 0};
    struct timespec longest = {1000, 0};
    struct timeval long_time = {1000, 0};
    fd_set in;
    FD_ZERO(&in);
    FD_SET(epfd, &in);
    tid = gettid();
    switch ((intptr_t)which) {
    case 0: epoll_wait(epfd, ev, 1, -1); break;
    case 1: epoll_pwait(epfd, ev, 1, 1000000, NULL); break;
    case 2: poll(&p, 1, -1); break;
    case 3: ppoll(&p, 1, &longest, NULL); break;
    case 4: select(epfd + 1, &in, NULL, NULL, &long_time); break;
    default: pselect(epfd + 1, &in, NULL, NULL, NULL, NULL);
    }
    return NULL;
}

static void test(void)
{
    int e = event_fd();
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    CHECK(libc != NULL);
    int (*cancel)(pthread_t) = (int (*)(pthread_t))dlsym(libc, "pthread_cancel");
    CHECK(cancel != NULL);
    OK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, NULL));
    epfd = ep_new();
    OK(ep_add(epfd, e, EPOLLIN));
    for (intptr_t which = 0; which < 6; which++) {
        pthread_t thread;
        void *result;
        tid = 0;
        CHECK_EQ(pthread_create(&thread, NULL, waits, (void *)which), 0);
        UNTIL(tid != 0);
        until_asleep(tid);
        CHECK_EQ(cancel(thread), 0);
        pthread_kill(thread, SIGUSR1);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED);
    }
    struct waiter w;
    waiter_block(&w, epfd);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));
    OK(close(epfd));
}
