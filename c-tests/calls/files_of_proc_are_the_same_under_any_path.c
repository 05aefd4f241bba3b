// A bind mount of /proc, of a directory in it or of one file changes nothing
// about which files can be added: a file that can be added is always ready, and
// any other is EPERM. The same holds after the mount is gone, for a file opened
// in another mount namespace, and where there is no /proc at all.
// Source: fs/eventpoll.c, do_epoll_ctl: file_can_poll asks the file alone.
// Contract: 3
#include "harness.h"
#include <sched.h>
#include <sys/mount.h>

static char dir[] = "/tmp/glasspoll proc-XXXXXX"; // mountinfo writes the blank as \040
static char at[64];

static const char *below(const char *name)
{
    snprintf(at, sizeof at, "%s/%s", dir, name);
    return at;
}

static void can(int epfd, int fd)
{
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLOUT);
    OK(ep_del(epfd, fd));
}

static void cannot(int epfd, int fd)
{
    CHECK_ERR(ep_add(epfd, fd, EPOLLIN), EPERM);
}

// `what` is mounted on `on`. `yes` can be added, `no` cannot: names below
// `what`, or "" for `what` itself.
static void bound(int epfd, const char *what, bool folder, const char *yes, const char *no)
{
    char on[64], path[128];
    int fd[2] = {-1, -1};
    const char *const name[] = {yes, no};
    snprintf(on, sizeof on, "%s", below("on"));
    if (folder)
        OK(mkdir(on, 0700));
    else
        OK(close(OK(open(on, O_CREAT | O_RDWR, 0600))));
    OK(mount(what, on, NULL, MS_BIND, NULL));
    for (int i = 0; i < 2; i++) {
        if (!name[i])
            continue;
        snprintf(path, sizeof path, "%s%s", on, name[i]);
        fd[i] = OK(open(path, O_RDONLY | O_CLOEXEC));
    }
    if (yes)
        can(epfd, fd[0]);
    if (no)
        cannot(epfd, fd[1]);
    OK(umount2(on, MNT_DETACH));
    if (folder && yes)
        can(epfd, fd[0]);
    if (folder && no)
        cannot(epfd, fd[1]);
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            OK(close(fd[i]));
    OK(folder ? rmdir(on) : unlink(on));
}

static void from_another_namespace(int epfd)
{
    int pair[2], fd[3];
    const char *const name[] = {"/proc/sys/kernel/hostname", "/proc/self/status",
                                "/proc/cpuinfo"};
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid_t pid = fork_child();
    if (pid == 0) {
        union {
            char room[CMSG_SPACE(sizeof fd)];
            struct cmsghdr align;
        } control;
        char byte = 0;
        struct iovec data = {&byte, 1};
        struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1,
                             .msg_control = &control, .msg_controllen = sizeof control};
        OK(unshare(CLONE_NEWNS));
        OK(mount("none", dir, "tmpfs", 0, NULL));
        OK(mkdir(below("proc"), 0700));
        OK(mount("none", below("proc"), "proc", 0, NULL));
        OK(chroot(dir));
        for (int i = 0; i < 3; i++)
            fd[i] = OK(open(name[i], O_RDONLY));
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        *head = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(head), fd, sizeof fd);
        OK(sendmsg(pair[1], &msg, 0));
        pause();
        _exit(0);
    }
    union {
        char room[CMSG_SPACE(sizeof fd)];
        struct cmsghdr align;
    } control;
    char byte;
    struct iovec data = {&byte, 1};
    struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1,
                         .msg_control = &control, .msg_controllen = sizeof control};
    OK(recvmsg(pair[0], &msg, MSG_CMSG_CLOEXEC));
    memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
    can(epfd, fd[0]);
    cannot(epfd, fd[1]);
    can(epfd, fd[2]);
    OK(kill(pid, SIGKILL));
    OK(waitpid(pid, NULL, 0));
    can(epfd, fd[0]);
    cannot(epfd, fd[1]);
    can(epfd, fd[2]);
    for (int i = 0; i < 3; i++)
        OK(close(fd[i]));
    close_pair(pair);
}

// This mount of proc shows the caller's processes only.
static void of_a_part(int epfd)
{
    char path[128];
    OK(mkdir(below("part"), 0700));
    if (mount("none", below("part"), "proc", 0, "subset=pid,hidepid=2") == 0) {
        snprintf(path, sizeof path, "%s/part/%d/status", dir, getpid());
        int fd = OK(open(path, O_RDONLY | O_CLOEXEC));
        cannot(epfd, fd);
        OK(close(fd));
        OK(umount(below("part")));
    }
    OK(rmdir(below("part")));
}

static void without_proc(int epfd)
{
    const char *const name[] = {"/proc/sys/kernel/hostname", "/proc/self/status",
                                "/proc/cpuinfo", "/proc/self/net/dev"};
    int fd[4];
    for (int i = 0; i < 4; i++)
        fd[i] = OK(open(name[i], O_RDONLY | O_CLOEXEC));
    while (umount2("/proc", MNT_DETACH) == 0)
        ;
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            cannot(epfd, fd[i]);
        else
            can(epfd, fd[i]);
        OK(close(fd[i]));
    }
}

static void test(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        SKIP("no mount namespace of our own: %s", strerrorname_np(errno));
    OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(mkdtemp(dir));
    int epfd = ep_new();
    char status[32];
    snprintf(status, sizeof status, "/%d/status", getpid());
    bound(epfd, "/proc", true, "/sys/kernel/hostname", status);
    bound(epfd, "/proc", true, "/uptime", "/self/status");
    bound(epfd, "/proc/sys", true, "/kernel/hostname", NULL);
    bound(epfd, "/proc/sys/kernel", true, "/hostname", NULL);
    bound(epfd, "/proc/self", true, "/net/dev", "/status");
    bound(epfd, "/proc/sys/kernel/hostname", false, "", NULL);
    bound(epfd, "/proc/cpuinfo", false, "", NULL);
    bound(epfd, "/proc/self/status", false, NULL, "");
    from_another_namespace(epfd);
    // A container has a /proc like this one.
    OK(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL));
    int fd = OK(open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC));
    can(epfd, fd);
    OK(close(fd));
    of_a_part(epfd);
    without_proc(epfd);
    OK(close(epfd));
    OK(rmdir(dir));
}
