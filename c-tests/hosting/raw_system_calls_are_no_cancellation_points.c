// A thread with a pending cancellation makes read, write and close by syscall(2), on a watched file and on any other.
// It goes on through these calls, and ends at its next cancellation point.
#include "harness.h"

static int watched, other;
static atomic_bool go, cancelled, went_on;

static void *caller(void *arg)
{
    uint64_t count;
    go = true;
    while (!cancelled)
        ;
    CHECK_EQ(syscall(SYS_read, watched, &count, 8), 8);
    CHECK_EQ(syscall(SYS_write, watched, &count, 8), 8);
    CHECK_EQ(syscall(SYS_read, other, &count, 8), 8);
    CHECK_EQ(syscall(SYS_close, watched), 0);
    CHECK_EQ(syscall(SYS_close, other), 0);
    went_on = true;
    pthread_testcancel();
    return arg;
}

static void test(void)
{
    int epfd = ep_new();
    pthread_t thread;
    void *result;
    watched = OK(eventfd(1, EFD_NONBLOCK));
    other = OK(eventfd(1, EFD_NONBLOCK));
    OK(ep_add(epfd, watched, EPOLLIN | EPOLLET));
    CHECK_EQ(pthread_create(&thread, NULL, caller, NULL), 0);
    UNTIL(go);
    CHECK_EQ(pthread_cancel(thread), 0);
    cancelled = true;
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(went_on);
    CHECK(result == PTHREAD_CANCELED);
    OK(close(epfd));
}
