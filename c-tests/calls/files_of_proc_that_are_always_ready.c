// A file of /proc that belongs to no process can be added and is always ready:
// a level item reports it in each wait, an edge item once. The same holds for a
// sysctl and the files of /proc/PID/net. Of the files of a process only mounts
// and mountinfo can be added. The others are EPERM, by any path, also after the
// process has ended.
// Source: fs/proc/inode.c, proc_reg_poll; fs/proc/proc_sysctl.c, proc_sys_poll;
// fs/proc/base.c. Contract: 3
#include "harness.h"

static const char *const ready[] = {
    "/proc/cpuinfo",           "/proc/meminfo",
    "/proc/uptime",            "/proc/loadavg",
    "/proc/stat",              "/proc/version",
    "/proc/filesystems",       "/proc/net/dev",
    "/proc/net/unix",          "/proc/self/net/dev",
    "/proc/thread-self/net/tcp", "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/ostype", "/proc/sys/vm/overcommit_memory",
    "/proc/sys/fs/file-nr",
};

static const char *const refused[] = {
    "status", "stat", "cmdline", "maps", "environ", "limits", "oom_score",
    "comm", "cgroup", "statm",
};

static void is_ready(int epfd, const char *path)
{
    enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM };
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return; // this kernel was built without it
    CHECK(fd >= 0);
    OK(ep_add(epfd, fd, ALL | EPOLLPRI));
    for (int i = 0; i < 3; i++)
        EXPECT_ONE(epfd, fd, ALL);
    while (OK(read(fd, text, sizeof text)) > 0)
        ;
    EXPECT_ONE(epfd, fd, ALL);
    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    OK(lseek(fd, 0, SEEK_SET));
    OK(read(fd, text, sizeof text));
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLONESHOT));
    EXPECT_ONE(epfd, fd, EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_mod(epfd, fd, EPOLLPRI));
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_del(epfd, fd));
    OK(close(fd));
}

static int of(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return OK(open(path, O_RDONLY | O_CLOEXEC));
}

static void are_refused(int epfd, const char *folder)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int fd = of(folder, refused[i]);
        CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EPERM);
        CHECK_ERR(ep_mod(epfd, fd, EPOLLIN), EPERM);
        CHECK_ERR(ep_del(epfd, fd), EPERM);
        OK(close(fd));
    }
    const char *const mounts[] = {"mounts", "mountinfo"};
    for (int i = 0; i < 2; i++) {
        int fd = of(folder, mounts[i]);
        OK(ep_add(epfd, fd, EPOLLIN));
        EXPECT_ONE(epfd, fd, EPOLLIN);
        OK(ep_del(epfd, fd));
        OK(close(fd));
    }
}

static void of_an_ended_process(int epfd)
{
    int fd[3];
    char folder[32];
    pid_t pid = fork_child();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    snprintf(folder, sizeof folder, "/proc/%d", pid);
    fd[0] = of(folder, "status");
    fd[1] = of(folder, "mounts");
    fd[2] = of(folder, "net/dev");
    OK(kill(pid, SIGKILL));
    OK(waitpid(pid, NULL, 0));
    CHECK_ERR(ep_add(epfd, fd[0], EPOLLIN), EPERM);
    for (int i = 1; i < 3; i++) {
        OK(ep_add(epfd, fd[i], EPOLLIN));
        EXPECT_ONE(epfd, fd[i], EPOLLIN);
        OK(ep_del(epfd, fd[i]));
    }
    for (int i = 0; i < 3; i++)
        OK(close(fd[i]));
}

static void test(void)
{
    char folder[64];
    int epfd = ep_new();
    for (size_t i = 0; i < sizeof ready / sizeof *ready; i++)
        is_ready(epfd, ready[i]);
    are_refused(epfd, "/proc/self");
    are_refused(epfd, "/proc/thread-self");
    snprintf(folder, sizeof folder, "/proc/%d/task/%d", getpid(), gettid());
    are_refused(epfd, folder);
    of_an_ended_process(epfd);
    OK(close(epfd));
}
