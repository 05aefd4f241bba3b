// An epoll fd without close-on-exec passes to the new program with its items,
// and works there under the same fd. Under glasspoll it is no set there: epoll
// calls on it say EINVAL, a line in the log says why, and the program may close
// it and make another set.
// Source: execve(2). Contract: 38
#include "harness.h"

static void limited(int epfd, int fd)
{
    struct epoll_event ev[1];
    char text[4096] = "";
    CHECK_ERR(epoll_wait(epfd, ev, 1, 0), EINVAL);
    CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EINVAL);
    CHECK_ERR(ep_del(epfd, fd), EINVAL);
    int log = OK(open(getenv("GLASSPOLL_LOG_FILE"), O_RDONLY));
    CHECK(read(log, text, sizeof text - 1) > 0);
    CHECK(strstr(text, "an epoll descriptor from before exec"));
    OK(close(log));
    OK(close(epfd));
    CHECK_EQ(ep_new(), epfd);
    OK(ep_add(epfd, fd, EPOLLIN));
}

// In the new program.
static void look(int epfd, int near, int far)
{
    if (emulated())
        limited(epfd, near);
    EXPECT_NOTHING_NOW(epfd);
    put(far, "x");
    EXPECT_ONE(epfd, emulated() ? near : 4711, EPOLLIN);
    CHECK_ERR(ep_add(epfd, near, EPOLLIN), EEXIST);
    OK(ep_add(epfd, far, EPOLLOUT));
    _exit(0);
}

static void test(void)
{
    char text[3][12], log[] = "/tmp/glasspoll-XXXXXX";
    if (test_argv[1])
        look(atoi(test_argv[1]), atoi(test_argv[2]), atoi(test_argv[3]));
    OK(close(OK(mkstemp(log))));
    pid_t pid = fork_child();
    if (pid == 0) {
        int epfd = OK(epoll_create1(0)), s[2];
        unix_stream(s);
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLET, 4711));
        snprintf(text[0], 12, "%d", epfd);
        snprintf(text[1], 12, "%d", s[0]);
        snprintf(text[2], 12, "%d", s[1]);
        OK(setenv("GLASSPOLL_LOG", "glasspoll=warn", 1));
        OK(setenv("GLASSPOLL_LOG_FILE", log, 1));
        execl("/proc/self/exe", test_argv[0], text[0], text[1], text[2], NULL);
        _exit(1);
    }
    child_must_pass(pid);
    OK(unlink(log));
}
