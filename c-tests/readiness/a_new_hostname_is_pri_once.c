// /proc/sys/kernel/hostname is PRI and ERR if the name has changed since the file was last polled. A level item reports
// this once, to a waiter that sleeps and to a waiter that comes later. It does so whether it asks for PRI or for
// nothing, as journald does. A thread or another process may change the name. ADD polls the file, so an earlier change
// is not reported.
// Source: fs/proc/proc_sysctl.c, proc_sys_poll; kernel/utsname_sysctl.c.
#include "harness.h"
#include <sched.h>
#include <sys/file.h>

static void rename_to(const char *name)
{
    OK(sethostname(name, strlen(name)));
}

static void *rename_later(void *unused)
{
    sleep_ms(QUIET_MS);
    rename_to("later");
    return unused;
}

static void by_a_thread(int epfd, int fd, uint32_t mask)
{
    pthread_t thread;
    OK(pthread_create(&thread, NULL, rename_later, NULL));
    EXPECT_ONE(epfd, fd, mask);
    EXPECT_NOTHING(epfd);
    OK(pthread_join(thread, NULL));
}

static void by_a_process(int epfd, int fd, uint32_t mask)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        rename_later(NULL);
        _exit(0);
    }
    EXPECT_ONE(epfd, fd, mask);
    EXPECT_NOTHING(epfd);
    child_must_pass(pid);
}

static void level(int epfd, int fd, uint32_t events, uint32_t mask)
{
    OK(ep_mod(epfd, fd, events));
    EXPECT_NOTHING(epfd);
    for (int i = 0; i < 3; i++) {
        rename_to(i % 2 ? "one" : "two");
        EXPECT_ONE(epfd, fd, mask);
        EXPECT_NOTHING_NOW(epfd);
    }
    rename_to("three");
    rename_to("four");
    EXPECT_ONE(epfd, fd, mask);
    EXPECT_NOTHING(epfd);
    by_a_thread(epfd, fd, mask);
    by_a_process(epfd, fd, mask);
}

static void test(void)
{
    if (unshare(CLONE_NEWUTS) < 0)
        SKIP("no name of our own: %s", strerrorname_np(errno));
    int fd = OK(open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC));
    // Each namespace has its own name, but the kernel reports a change to all namespaces. So a second run of this test
    // waits for the first.
    // Linux: kernel/utsname_sysctl.c:uts_proc_notify
    OK(flock(fd, LOCK_EX));
    int domain = OK(open("/proc/sys/kernel/domainname", O_RDONLY | O_CLOEXEC));
    int epfd = ep_new();
    rename_to("zero");
    OK(ep_add(epfd, fd, EPOLLPRI));
    OK(ep_add(epfd, domain, EPOLLPRI));
    EXPECT_NOTHING(epfd);
    level(epfd, fd, EPOLLPRI, EPOLLPRI | EPOLLERR);
    level(epfd, fd, 0, EPOLLERR);
    OK(setdomainname("other", 5));
    EXPECT_ONE(epfd, domain, EPOLLPRI | EPOLLERR);

    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLOUT);
    EXPECT_NOTHING(epfd);
    for (int i = 0; i < 3; i++) {
        rename_to(i % 2 ? "one" : "two");
        EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLERR);
        EXPECT_NOTHING(epfd);
    }
    by_a_thread(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLERR);
    by_a_process(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLERR);

    OK(ep_mod(epfd, fd, EPOLLET));
    EXPECT_NOTHING(epfd);
    by_a_thread(epfd, fd, EPOLLERR);
    by_a_process(epfd, fd, EPOLLERR);
    OK(ep_mod(epfd, fd, EPOLLPRI | EPOLLONESHOT));
    by_a_thread(epfd, fd, EPOLLPRI | EPOLLERR);

    // ADD and MOD poll the file, so a change before them is not reported.
    OK(ep_del(epfd, fd));
    rename_to("six");
    OK(ep_add(epfd, fd, EPOLLPRI));
    EXPECT_NOTHING_NOW(epfd);
    rename_to("seven");
    OK(ep_mod(epfd, fd, EPOLLPRI));
    EXPECT_NOTHING_NOW(epfd);

    // The file is always readable.
    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLPRI));
    for (int i = 0; i < 3; i++)
        EXPECT_ONE(epfd, fd, EPOLLIN);
    rename_to("five");
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLERR);
    EXPECT_ONE(epfd, fd, EPOLLIN);
    OK(close(domain));
    OK(close(fd));
    OK(close(epfd));
}
