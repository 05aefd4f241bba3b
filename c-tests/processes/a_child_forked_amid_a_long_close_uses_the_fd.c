// A process forks while another of its threads is in a close that takes long and has already freed the fd. The child
// makes a set under this fd, and sleeps only a few times until it has the set.
// Source: fork(2), SO_LINGER of socket(7). Contract: 36
#include "harness.h"

static int watched[2];

static void *closes(void *unused)
{
    OK(close(watched[0]));
    return unused;
}

static void test(void)
{
    int epfd = ep_new();
    struct linger linger = {1, 3};
    pthread_t thread;
    tcp_pair(watched);
    OK(ep_add(epfd, watched[0], EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    OK(setsockopt(watched[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    fill(watched[0]);
    CHECK_EQ(pthread_create(&thread, NULL, closes, NULL), 0);
    UNTIL(fcntl(watched[0], F_GETFD) == -1);
    pid_t pid = fork_child();
    if (pid == 0) {
        struct rusage before, after;
        OK(getrusage(RUSAGE_SELF, &before));
        int own;
        do
            own = ep_new();
        while (own < watched[0]);
        CHECK_EQ(own, watched[0]);
        OK(getrusage(RUSAGE_SELF, &after));
        long sleeps = after.ru_nvcsw - before.ru_nvcsw;
        if (sleeps > 1000)
            FAIL("%ld sleeps", sleeps);
        _exit(0);
    }
    child_must_pass(pid);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    OK(close(watched[1]));
    OK(close(epfd));
}
