// A program executes another while its threads are in the middle of epoll calls
// and its watched files have traffic. The new program runs and uses a set
// itself.
// Source: execve(2). Contract: 38
#include "harness.h"

enum { FILES = 8, THREADS = 3, ROUNDS = 30 };
static int epfd, s[FILES][2];

static void *serves(void *unused)
{
    struct epoll_event ev[FILES];
    char buf[64];
    (void)unused;
    for (;;) {
        int n = epoll_wait(epfd, ev, FILES, 1);
        for (int i = 0; i < n; i++)
            while (read(s[ev[i].data.u64][0], buf, sizeof buf) > 0)
                ;
    }
    return NULL;
}

static void *sends(void *unused)
{
    (void)unused;
    for (unsigned i = 0;; i++)
        if (write(s[i % FILES][1], "x", 1) < 0 && errno != EAGAIN)
            _exit(1);
    return NULL;
}

// In the executed program.
static int look(void)
{
    int own = ep_new(), file = event_fd();
    OK(ep_add(own, file, EPOLLIN));
    bump(file, 1);
    EXPECT_ONE(own, file, EPOLLIN);
    return 0;
}

static void execute(int delay_us)
{
    char *argv[] = {test_argv[0], "look", NULL};
    pthread_t thread;
    epfd = ep_new();
    for (int i = 0; i < FILES; i++) {
        OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s[i]));
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[i][0], EPOLLIN | EPOLLET, i));
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&thread, NULL, serves, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, sends, NULL), 0);
    usleep(delay_us);
    execv("/proc/self/exe", argv);
    _exit(1);
}

static void test(void)
{
    int64_t end = now_ns() + 1500000000;
    if (test_argv[1])
        _exit(look());
    for (int i = 0; i < ROUNDS && now_ns() < end; i++) {
        pid_t pid = fork_child();
        if (pid == 0)
            execute(2000 + i * 67);
        child_must_pass(pid);
    }
}
