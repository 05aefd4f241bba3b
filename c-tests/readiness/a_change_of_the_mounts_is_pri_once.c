// /proc/mounts is PRI and ERR if the mounts have changed since it was last
// polled. A level item reports this once per change, to a waiter that sleeps
// and to a waiter that comes later. One change between two waits is one event.
// Source: fs/proc_namespace.c, mounts_poll: to ask takes the news.
// Contract: 23
#include "harness.h"
#include <sched.h>
#include <sys/mount.h>

static char dir[] = "/tmp/glasspoll-mounts-XXXXXX";

static void change(void)
{
    OK(mount("none", dir, "tmpfs", 0, NULL));
    OK(umount(dir));
}

static void *change_later(void *unused)
{
    sleep_ms(QUIET_MS);
    OK(mount("none", dir, "tmpfs", 0, NULL));
    return unused;
}

static void test(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        SKIP("no mount namespace of our own: %s", strerrorname_np(errno));
    OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(mkdtemp(dir));
    int fd = OK(open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
    int epfd = ep_new();
    OK(ep_add(epfd, fd, EPOLLPRI));
    EXPECT_NOTHING(epfd);
    for (int i = 0; i < 3; i++) {
        change();
        EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
        EXPECT_NOTHING_NOW(epfd);
    }
    pthread_t thread;
    OK(pthread_create(&thread, NULL, change_later, NULL));
    EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    EXPECT_NOTHING(epfd);
    OK(pthread_join(thread, NULL));
    OK(umount(dir));
    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLIN);
    change();
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLERR);
    EXPECT_NOTHING(epfd);
    change();
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLPRI | EPOLLERR);
    OK(rmdir(dir));
    OK(close(fd));
    OK(close(epfd));
}
