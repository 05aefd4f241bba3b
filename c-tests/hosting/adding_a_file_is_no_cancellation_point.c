// A thread with a pending cancellation makes a set and adds a FIFO, which nobody saw being made. It goes on through
// these calls, and ends at its next cancellation point.
// Source: pthreads(7). Contract: 8
#include "harness.h"

static int fifo, epfd, other;
static atomic_bool went_on;

static void *caller(void *arg)
{
    CHECK_EQ(pthread_cancel(pthread_self()), 0);
    epfd = ep_new();
    OK(ep_add(epfd, fifo, EPOLLIN));
    other = OK(dup(fifo));
    OK(ep_add(epfd, other, EPOLLIN));
    OK(ep_del(epfd, other));
    went_on = true;
    pthread_testcancel();
    return arg;
}

static void test(void)
{
    char dir[] = "/tmp/fifoXXXXXX", path[sizeof dir + 8];
    pthread_t thread;
    void *result;
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/fifo", dir);
    OK(mkfifo(path, 0600));
    fifo = OK(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
    OK(unlink(path));
    OK(rmdir(dir));
    CHECK_EQ(pthread_create(&thread, NULL, caller, NULL), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(went_on);
    CHECK(result == PTHREAD_CANCELED);
    OK(close(epfd));
    OK(close(other));
    OK(close(fifo));
}
