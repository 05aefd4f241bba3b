// A thread that may not read the CPU's time stamp counter makes a set, changes it and asks it as before.
// Source: PR_SET_TSC(2const). Contract: 19
#include "harness.h"

static int file, idle;

static void *changer(void *unused)
{
    struct epoll_event event;
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0)
        SKIP("only x86 has that");
    int epfd = ep_new();
    OK(ep_add(epfd, file, EPOLLIN));
    OK(ep_add(epfd, idle, EPOLLIN));
    CHECK_EQ(epoll_wait(epfd, &event, 1, 0), 1);
    OK(ep_del(epfd, file));
    CHECK_EQ(epoll_wait(epfd, &event, 1, 0), 0);
    OK(close(idle));
    OK(close(epfd));
    OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
    return unused;
}

static void test(void)
{
    pthread_t thread;
    int epfd = ep_new();
    file = OK(eventfd(1, EFD_NONBLOCK));
    idle = OK(eventfd(0, EFD_NONBLOCK));
    OK(ep_add(epfd, file, EPOLLIN));
    CHECK_EQ(pthread_create(&thread, NULL, changer, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    EXPECT_ONE(epfd, file, EPOLLIN);
    OK(close(file));
    OK(close(epfd));
}
