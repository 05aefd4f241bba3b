// /proc/pressure/cpu without a trigger is always PRI and ERR, and only the
// first report is an edge. With a trigger it is PRI when the pressure reaches
// the trigger, and wakes a waiter that sleeps.
// Source: kernel/sched/psi.c, psi_trigger_poll: to ask takes the news.
#include "harness.h"

static void without_trigger(int epfd)
{
    int fd = open("/proc/pressure/cpu", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        SKIP("no pressure: %s", strerrorname_np(errno));
    OK(ep_add(epfd, fd, EPOLLPRI));
    for (int i = 0; i < 3; i++)
        EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    OK(ep_mod(epfd, fd, EPOLLPRI | EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLIN | EPOLLERR);
    EXPECT_NOTHING(epfd);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(fd));
}

static void with_trigger(int epfd, uint32_t events)
{
    const char *trigger = "some 1000 2000000"; // 1 ms in 2 s, which needs no privilege
    int fd = open("/proc/pressure/cpu", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        SKIP("no trigger: %s", strerrorname_np(errno));
    if (write(fd, trigger, strlen(trigger) + 1) < 0)
        SKIP("no trigger: %s", strerrorname_np(errno));
    // Another program may have caused pressure before; this poll takes its
    // event.
    struct pollfd look = {fd, POLLPRI, 0};
    OK(poll(&look, 1, 0));
    OK(ep_add(epfd, fd, events));
    for (int i = 0; i < 2; i++) {
        struct epoll_event ev[2];
        CHECK_EQ(epoll_wait(epfd, ev, 2, 20000), 1);
        CHECK_EVENT(ev[0], (uint64_t)fd, EPOLLPRI);
    }
    OK(close(fd));
}

static void test(void)
{
    pid_t busy[64];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int count = cpus < 31 ? cpus * 2 : 64;
    int epfd = ep_new();
    without_trigger(epfd);
    for (int i = 0; i < count; i++) {
        busy[i] = fork_child();
        while (busy[i] == 0)
            ;
    }
    with_trigger(epfd, EPOLLPRI);
    with_trigger(epfd, EPOLLPRI | EPOLLET);
    for (int i = 0; i < count; i++) {
        OK(kill(busy[i], SIGKILL));
        OK(waitpid(busy[i], NULL, 0));
    }
    OK(close(epfd));
}
