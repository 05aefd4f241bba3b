// When close returns, the peer sees the end. This holds also while the thread
// that waits on the set is just waking and falling asleep again.
// Source: epoll(7), Q6; close(2). Contract: 39
#include "harness.h"

enum { TURNS = 3000 };

static int epfd;
static _Atomic bool stop;
static _Atomic unsigned served;

static void *serve(void *unused)
{
    (void)unused;
    while (!stop) {
        struct epoll_event ev[4];
        int n = wait_events(epfd, ev, 4, -1);
        for (int i = 0; i < n; i++)
            if (ev[i].data.fd >= 0) {
                char byte;
                CHECK_EQ(read(ev[i].data.fd, &byte, 1), 1);
                served++;
            }
    }
    return NULL;
}

// Wakes the sleepers again and again.
static void *rouse(void *unused)
{
    (void)unused;
    int other = ep_new(), e = event_fd();
    while (!stop) {
        OK(ep_add(other, e, EPOLLIN | EPOLLET));
        OK(ep_del(other, e));
    }
    OK(close(e));
    OK(close(other));
    return NULL;
}

static void test(void)
{
    pthread_t server, rouser;
    int end = event_fd(), stay[2];
    epfd = ep_new();
    unix_stream(stay);
    OK(ep_add(epfd, stay[0], EPOLLIN));
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, end, EPOLLIN, -1));
    CHECK_EQ(pthread_create(&server, NULL, serve, NULL), 0);
    CHECK_EQ(pthread_create(&rouser, NULL, rouse, NULL), 0);
    unsigned sent = 0;
    for (int n = 0; n < TURNS; n++) {
        int fd[2];
        char byte;
        (n % 2 ? unix_stream : pipe_pair)(fd);
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, fd[0], EPOLLIN, fd[0]));
        for (int k = 0; k < 3; k++) {
            put(fd[1], "x");
            sent++;
            while (served != sent)
                ;
            put(stay[1], "x");
            sent++;
            while (served != sent)
                ;
        }
        OK(close(fd[0]));
        if (n % 2)
            CHECK_EQ(read(fd[1], &byte, 1), 0);
        else {
            struct pollfd p = {fd[1], 0, 0};
            CHECK_EQ(poll(&p, 1, 0), 1);
        }
        OK(close(fd[1]));
    }
    stop = true;
    bump(end, 1);
    CHECK_EQ(pthread_join(server, NULL), 0);
    CHECK_EQ(pthread_join(rouser, NULL), 0);
    OK(close(end));
    close_pair(stay);
    OK(close(epfd));
}
