// poll and select on an epoll fd take no fd: they work when all fds are in use,
// and they do not disturb a thread that expects to get the lowest free fd.
// Source: poll(2). Contract: 1, 2
#include "harness.h"

static int epfd;
static _Atomic bool stop;

static void *polls(void *unused)
{
    struct pollfd p = {epfd, POLLIN, 0};
    (void)unused;
    while (!stop)
        CHECK(poll(&p, 1, 1) >= 0);
    return NULL;
}

static void test(void)
{
    struct rlimit was, now;
    struct pollfd p;
    pthread_t thread;
    int s[2], filler[64], count = 0;
    epfd = ep_new();
    unix_stream(s);
    OK(ep_add(epfd, s[0], EPOLLIN));
    int lowest = OK(dup(0));
    OK(close(lowest));
    CHECK_EQ(pthread_create(&thread, NULL, polls, NULL), 0);
    sleep_ms(20); // the first poll may start a helper
    for (int64_t end = now_ns() + 500000000; now_ns() < end;) {
        CHECK_EQ(dup(0), lowest);
        OK(close(lowest));
    }
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);

    OK(getrlimit(RLIMIT_NOFILE, &was));
    now = was;
    now.rlim_cur = 40;
    OK(setrlimit(RLIMIT_NOFILE, &now));
    while (count < 64 && (filler[count] = dup(0)) != -1)
        count++;
    CHECK_EQ(errno, EMFILE);
    p = (struct pollfd){epfd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 10), 0);
    put(s[1], "x");
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
    while (count > 0)
        OK(close(filler[--count]));
    OK(setrlimit(RLIMIT_NOFILE, &was));
    close_pair(s);
    OK(close(epfd));
}
