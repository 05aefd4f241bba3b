// Each time the program reads the time of day, it has jumped by an hour. A wait still lasts as long as its timeout, and
// an event ends it.
// Source: epoll_wait(2): CLOCK_MONOTONIC. Contract: 6
#include "harness.h"

static _Atomic int looks;

// The program defines these functions, so the whole process uses them, libraries too.
static time_t jump(void)
{
    return atomic_fetch_add(&looks, 1) % 2 ? 3600 : -3600;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    long failed = syscall(SYS_clock_gettime, clock, ts);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        ts->tv_sec += jump();
    return (int)failed;
}

int gettimeofday(struct timeval *tv, void *zone)
{
    long failed = syscall(SYS_gettimeofday, tv, zone);
    if (!failed)
        tv->tv_sec += jump();
    return (int)failed;
}

time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

static int wait_by(int call, int epfd, struct epoll_event *ev, int ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    struct pollfd pfd = {.fd = epfd, .events = POLLIN};
    switch (call) {
    case 0: return epoll_wait(epfd, ev, 1, ms);
    case 1: return epoll_pwait2(epfd, ev, 1, &ts, NULL);
    default: return poll(&pfd, 1, ms);
    }
}

static void *write_soon(void *fd)
{
    usleep(20000);
    OK(write(*(int *)fd, "x", 1));
    return NULL;
}

static void test(void)
{
    struct epoll_event ev[1];
    int epfd = ep_new(), inner = ep_new(), s[2], p[2];
    CHECK(time(NULL) != time(NULL)); // the time of day does jump
    unix_stream(s);
    pipe_pair(p);
    OK(ep_add(epfd, s[0], EPOLLIN));
    OK(ep_add(inner, p[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, inner, EPOLLIN));
    for (int round = 0; round < 5; round++)
        for (int call = 0; call < 3; call++) {
            int64_t start = now_ns();
            CHECK_EQ(wait_by(call, epfd, ev, 30), 0);
            int64_t took = now_ns() - start;
            CHECK(took >= 30000000); // with an extra hour the runner would end the test
            int *from = call == 1 ? &p[1] : &s[1], *to = call == 1 ? &p[0] : &s[0];
            pthread_t writer;
            CHECK_EQ(pthread_create(&writer, NULL, write_soon, from), 0);
            CHECK_EQ(wait_by(call, epfd, ev, WAIT_MS), 1);
            CHECK_EQ(pthread_join(writer, NULL), 0);
            drain(*to);
            CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
        }
    OK(close(epfd));
    OK(close(inner));
    close_pair(s);
    close_pair(p);
}
