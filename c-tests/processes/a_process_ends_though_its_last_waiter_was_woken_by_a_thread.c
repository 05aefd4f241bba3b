// The main thread has ended. Another thread adds a ready file, and this wakes the last waiter; no device does. Then
// both threads end, and the process ends with status 0.
// Source: pthread_exit(3). Contract: 38
#include "harness.h"

static int first, second, a[2], b[2];

static void *waits_then_adds(void *unused)
{
    EXPECT_ONE(first, a[0], EPOLLIN);
    sleep_ms(100);
    OK(ep_add(second, b[0], EPOLLIN));
    sleep_ms(50);
    return unused;
}

static void *waits(void *unused)
{
    EXPECT_ONE(second, b[0], EPOLLIN);
    sleep_ms(20);
    return unused;
}

static void test(void)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        first = ep_new(), second = ep_new();
        unix_stream(a);
        unix_stream(b);
        OK(ep_add(first, a[0], EPOLLIN));
        put(b[1], "x");
        CHECK_EQ(pthread_create(&thread, NULL, waits_then_adds, NULL), 0);
        sleep_ms(50);
        CHECK_EQ(pthread_create(&thread, NULL, waits, NULL), 0);
        sleep_ms(50);
        put(a[1], "x");
        pthread_exit(NULL);
    }
    int status;
    UNTIL(OK(waitpid(pid, &status, WNOHANG)) == pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}
