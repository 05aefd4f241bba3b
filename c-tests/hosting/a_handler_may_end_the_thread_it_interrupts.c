// A handler interrupts a wait, a poll on the epoll fd or a call that changes
// the set, and ends its thread by pthread_exit. The cleanup handlers run, the
// thread is gone, and the set works on for the other threads.
// Source: pthread_exit(3). Contract: 26
#include "harness.h"

static int epfd, file;
static _Atomic pid_t tid;
static _Atomic int cleaned;

static void on_signal(int signo)
{
    (void)signo;
    pthread_exit(&epfd);
}

static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *waits(void *arg)
{
    struct epoll_event ev[1];
    struct pollfd p = {epfd, POLLIN, 0};
    sigset_t none;
    sigemptyset(&none);
    pthread_cleanup_push(cleanup, NULL);
    tid = gettid();
    switch ((intptr_t)arg % 5) {
    case 0: epoll_wait(epfd, ev, 1, -1); break;
    case 1: poll(&p, 1, -1); break;
    case 2: epoll_pwait(epfd, ev, 1, -1, &none); break;
    case 3: syscall(SYS_epoll_pwait, epfd, ev, 1, -1, NULL, 0); break;
    default:
        for (;;) {
            ep_add(epfd, file, EPOLLIN);
            epoll_wait(epfd, ev, 1, 0);
            ep_del(epfd, file);
        }
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct waiter w;
    int e = event_fd();
    unsigned seed = 1;
    OK(sigaction(SIGUSR1, &action, NULL));
    epfd = ep_new();
    file = event_fd();
    OK(ep_add(epfd, e, EPOLLIN));
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        void *result;
        tid = 0;
        if (i % 10 == 0)
            waiter_block(&w, epfd); // the library's helper thread watches for both
        CHECK_EQ(pthread_create(&thread, NULL, waits, (void *)(intptr_t)i), 0);
        UNTIL(tid != 0);
        if (i % 5 < 4 && i % 2)
            until_asleep(tid);
        else
            for (volatile int n = rand_r(&seed) % 100000; n > 0; n--)
                ;
        CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == &epfd);
        CHECK_EQ(cleaned, i + 1);
        ep_del(epfd, file);
        if (i % 10 == 9) {
            CHECK(!w.done);
            bump(e, 1);
            waiter_join_with(&w, e, EPOLLIN);
            drain(e);
        }
    }
    OK(close(file));
    OK(close(e));
    OK(close(epfd));
}
