// A thread blocked in poll or select on the epoll fd returns when a watched
// file becomes ready, a file that is ready is added, or an item is changed.
// Source: Linux: fs/eventpoll.c:ep_eventpoll_poll. Contract: 2, 33
#include "harness.h"

static _Atomic pid_t tid;
static bool use_select;

static void *poller(void *arg)
{
    int epfd = *(int *)arg;
    struct pollfd p = {epfd, POLLIN, 0};
    fd_set in;
    FD_ZERO(&in);
    FD_SET(epfd, &in);
    tid = gettid();
    CHECK_EQ(use_select ? select(epfd + 1, &in, NULL, NULL, NULL)
                        : poll(&p, 1, -1), 1);
    return NULL;
}

static void start(pthread_t *thread, int *epfd)
{
    tid = 0;
    CHECK_EQ(pthread_create(thread, NULL, poller, epfd), 0);
    UNTIL(tid != 0);
    until_asleep(tid);
}

static void test(void)
{
    for (int i = 0; i < 2; i++) {
        int epfd = ep_new(), s[2], e = event_fd();
        pthread_t thread;
        use_select = i;
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN));

        start(&thread, &epfd);
        put(s[1], "x");
        CHECK_EQ(pthread_join(thread, NULL), 0);
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        drain(s[0]);

        start(&thread, &epfd);
        OK(ep_add(epfd, e, EPOLLOUT));
        CHECK_EQ(pthread_join(thread, NULL), 0);
        OK(ep_mod(epfd, e, EPOLLIN));
        EXPECT_NOTHING_NOW(epfd);

        start(&thread, &epfd);
        OK(ep_mod(epfd, e, EPOLLOUT));
        CHECK_EQ(pthread_join(thread, NULL), 0);
        close_pair(s);
        OK(close(e));
        OK(close(epfd));
    }
}
