// A program lowers RLIMIT_NOFILE below the fds that are open and watched: the soft limit, the hard limit, and both to
// 0. Waits, changes, poll and select on the set go on. A new set is EMFILE.
// Source: getrlimit(2). Contract: 1
#include "harness.h"

enum { FILES = 20 };

static void use(int epfd, int fd[FILES][2], int e, bool blind)
{
    struct waiter w;
    struct timeval soon = {WAIT_MS / 1000, 0};
    struct epoll_event ev[FILES];
    fd_set in;
    for (int i = 0; i < FILES; i += 3) {
        put(fd[i][1], "x");
        EXPECT_ONE(epfd, fd[i][0], EPOLLIN);
        CHECK_EQ(drain(fd[i][0]), 1);
        EXPECT_NOTHING_NOW(epfd);
    }
    for (int i = 0; i < FILES; i++)
        put(fd[i][1], "x");
    CHECK_EQ(epoll_wait(epfd, ev, FILES, WAIT_MS), FILES);
    for (int i = 0; i < FILES; i++)
        CHECK_EQ(drain(fd[i][0]), 1);
    waiter_start(&w, epfd); // without a free fd the test cannot read whether the waiter sleeps
    sleep_ms(20);
    CHECK(!w.done);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    FD_ZERO(&in);
    FD_SET(epfd, &in);
    CHECK_EQ(select(epfd + 1, &in, NULL, NULL, &soon), 1);
    drain(e);
    OK(ep_mod(epfd, fd[3][0], EPOLLOUT));
    EXPECT_ONE(epfd, fd[3][0], EPOLLOUT);
    OK(ep_mod(epfd, fd[3][0], EPOLLIN));
    put(fd[1][1], "x");
    OK(close(fd[1][1]));
    // With both limits at 0 glasspoll can only use select. select does not show a hang-up on a file that has data to
    // read.
    uint32_t hangup = EPOLLHUP | EPOLLRDHUP;
    EXPECT_ONE(epfd, fd[1][0], EPOLLIN | (blind ? 0 : hangup));
}

static void child(int soft, int hard, bool asked)
{
    int epfd = ep_new(), fd[FILES][2], e = event_fd();
    struct rlimit limit;
    for (int i = 0; i < FILES; i++) {
        if (i % 2)
            unix_stream(fd[i]);
        else
            pipe_pair(fd[i]);
        OK(ep_add(epfd, fd[i][0], EPOLLIN | (i == 1 ? EPOLLRDHUP : 0)));
    }
    OK(ep_add(epfd, e, EPOLLIN));
    if (asked)
        EXPECT_NOTHING_NOW(epfd);
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    if (soft >= 0)
        limit.rlim_cur = soft;
    if (hard >= 0)
        limit.rlim_max = hard;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ERR(epoll_create1(0), EMFILE);
    // A helper thread that watches all the time raises the limit for a moment, because poll(2) of its list needs it.
    const char *ready = getenv("GLASSPOLL_READY");
    if (!emulated() || !ready || strcmp(ready, "exact") != 0)
        CHECK_ERR(dup(0), EMFILE);
    use(epfd, fd, e, emulated() && limit.rlim_max == 0);
    struct rlimit now;
    OK(getrlimit(RLIMIT_NOFILE, &now));
    CHECK(now.rlim_cur == limit.rlim_cur && now.rlim_max == limit.rlim_max);
    _exit(0);
}

static void test(void)
{
    int limits[][2] = {{10, -1}, {0, -1}, {10, 10}, {3, 10}, {1, 1}, {0, 0}};
    for (int i = 0; i < 6; i++)
        for (int asked = 0; asked < 2; asked++)
            for (int plain_user = 0; plain_user < 2; plain_user++) {
                pid_t pid = fork_child();
                if (pid == 0) {
                    if (plain_user && geteuid() == 0)
                        OK(setuid(54321));
                    child(limits[i][0], limits[i][1], asked);
                }
                child_must_pass(pid);
            }
}
