// The threads of a process have waited and were joined. The process has one thread again, so calls that require a
// single-threaded process work.
// Source: unshare(2), CLONE_NEWUSER: EINVAL with more than one thread. Contract: 38
// Limit: exact: a helper thread watches all the time
#include "harness.h"
#include <dirent.h>
#include <sched.h>

static int threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void *waits(void *ms)
{
    struct epoll_event ev[1];
    int epfd = ep_new(), s[2];
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    CHECK_EQ(epoll_wait(epfd, ev, 1, *(int *)ms), 0);
    close_pair(s);
    OK(close(epfd));
    return NULL;
}

static void test(void)
{
    static int ms[] = {700, 200}; // the thread that holds the watch ends last
    pthread_t thread[2];
    for (int round = 0; round < 2; round++) {
        for (int n = 0; n < 2; n++, sleep_ms(100))
            CHECK_EQ(pthread_create(&thread[n], NULL, waits, &ms[round ? 1 - n : n]), 0);
        for (int n = 0; n < 2; n++)
            CHECK_EQ(pthread_join(thread[n], NULL), 0);
        UNTIL(threads() == 1);
    }
}
