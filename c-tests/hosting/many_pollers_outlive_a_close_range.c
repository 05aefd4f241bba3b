// Many threads have polled the epoll fd at the same time. close_range over fds
// that the program has not opened then closes nothing, and the threads can poll
// again.
#include "harness.h"
#include <dirent.h>

enum { POLLERS = 80 };

static int epfd;
static atomic_int polling;

static void *poller(void *arg)
{
    struct pollfd p = {epfd, POLLIN, 0};
    polling++;
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    return arg;
}

static void poll_together(void)
{
    pthread_t thread[POLLERS];
    int efd = OK(eventfd(0, EFD_CLOEXEC));
    polling = 0;
    OK(ep_add(epfd, efd, EPOLLIN));
    for (int i = 0; i < POLLERS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, poller, NULL), 0);
    UNTIL(polling == POLLERS);
    sleep_ms(50);
    OK(eventfd_write(efd, 1));
    for (int i = 0; i < POLLERS; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    OK(close(efd));
}

static int open_numbers(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir);
    while (readdir(dir))
        count++;
    OK(closedir(dir));
    return count;
}

static void test(void)
{
    epfd = ep_new();
    poll_together();
    int before = open_numbers();
    OK(close_range(512, UINT_MAX, 0));
    CHECK_EQ(open_numbers(), before);
    poll_together();
    OK(close(epfd));
}
