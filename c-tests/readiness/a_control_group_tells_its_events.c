// cgroup.events of a control group is PRI and ERR when a process has entered the group or the last one has left, until
// the file is read. Each change is an edge, and wakes a sleeping waiter.
// Source: kernel/cgroup/cgroup.c, cgroup_file_notify; fs/kernfs/file.c, kernfs_notify.
#include "harness.h"
#include <sys/mount.h>
#include <sched.h>

static char root[] = "/tmp/glasspoll-cgroup-XXXXXX";
static char group[128], procs[160], events[160];

static void fill_group(const char *path, pid_t pid)
{
    char text[16];
    int fd = OK(open(path, O_WRONLY | O_CLOEXEC));
    int n = snprintf(text, sizeof text, "%d", pid);
    CHECK_EQ(write(fd, text, n), n);
    OK(close(fd));
}

static void set_populated(pid_t pid, bool on)
{
    char all[160];
    snprintf(all, sizeof all, "%s/cgroup.procs", root);
    fill_group(on ? procs : all, pid);
}

static void *populate_later(void *pid)
{
    sleep_ms(QUIET_MS);
    set_populated((pid_t)(intptr_t)pid, true);
    return NULL;
}

static void read_all(int fd)
{
    char text[256];
    OK(lseek(fd, 0, SEEK_SET));
    while (OK(read(fd, text, sizeof text)) > 0)
        ;
}

static void by_a_thread(int epfd, int fd, pid_t pid, uint32_t mask)
{
    pthread_t thread;
    OK(pthread_create(&thread, NULL, populate_later, (void *)(intptr_t)pid));
    EXPECT_ONE(epfd, fd, mask);
    read_all(fd);
    EXPECT_NOTHING(epfd);
    OK(pthread_join(thread, NULL));
}

static void test(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        SKIP("no mount namespace of our own: %s", strerrorname_np(errno));
    OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(mkdtemp(root));
    if (mount("none", root, "cgroup2", 0, NULL) < 0) {
        OK(rmdir(root));
        SKIP("no control groups: %s", strerrorname_np(errno));
    }
    snprintf(group, sizeof group, "%s/glasspoll-%d", root, getpid());
    snprintf(procs, sizeof procs, "%s/cgroup.procs", group);
    snprintf(events, sizeof events, "%s/cgroup.events", group);
    if (mkdir(group, 0700) < 0) {
        int error = errno;
        OK(umount(root));
        OK(rmdir(root));
        SKIP("no control group of our own: %s", strerrorname_np(error));
    }
    pid_t pid = fork_child();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    int fd = OK(open(events, O_RDONLY | O_CLOEXEC));
    int epfd = ep_new();
    read_all(fd);
    OK(ep_add(epfd, fd, EPOLLPRI));
    EXPECT_NOTHING(epfd);
    set_populated(pid, true);
    EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    read_all(fd);
    EXPECT_NOTHING(epfd);
    set_populated(pid, false);
    EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    read_all(fd);
    by_a_thread(epfd, fd, pid, EPOLLPRI | EPOLLERR);

    OK(ep_mod(epfd, fd, EPOLLPRI | EPOLLET));
    EXPECT_NOTHING(epfd);
    for (int i = 0; i < 3; i++) {
        set_populated(pid, i % 2);
        EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
        EXPECT_NOTHING_NOW(epfd);
        read_all(fd);
        EXPECT_NOTHING(epfd);
    }
    by_a_thread(epfd, fd, pid, EPOLLPRI | EPOLLERR);
    OK(kill(pid, SIGKILL));
    OK(waitpid(pid, NULL, 0));
    EXPECT_ONE(epfd, fd, EPOLLPRI | EPOLLERR);
    OK(close(fd));
    OK(close(epfd));
    UNTIL(rmdir(group) == 0);
    OK(umount(root));
    OK(rmdir(root));
}
