// A regular file of a FUSE file system can be added, whether or not its server
// knows poll. If the server does not, the file is always ready. A directory of
// it is EPERM. All of this still holds when the server has ended.
// Source: fs/fuse/file.c, fuse_file_poll. Contract: 3
#include "harness.h"
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>

static char dir[] = "/tmp/glasspoll-fuse-XXXXXX";

static void answer(int dev, uint64_t unique, int error, const void *data, size_t size)
{
    char room[256];
    struct fuse_out_header head = {sizeof head + size, error, unique};
    memcpy(room, &head, sizeof head);
    if (size)
        memcpy(room + sizeof head, data, size);
    OK(write(dev, room, head.len));
}

static struct fuse_attr attr_of(uint64_t node)
{
    return (struct fuse_attr){.ino = node, .nlink = 1,
                              .mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0644};
}

// A file system with one directory that holds one file.
static void serve(int dev)
{
    static char in[FUSE_MIN_READ_BUFFER + 4096] __attribute__((aligned(8)));
    for (;;) {
        ssize_t got = read(dev, in, sizeof in);
        if (got < 0 && (errno == EINTR || errno == ENOENT))
            continue;
        if (got < 0)
            _exit(0);
        struct fuse_in_header *head = (void *)in;
        struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
        struct fuse_attr_out attr = {.attr = attr_of(head->nodeid)};
        struct fuse_entry_out entry = {.nodeid = 2, .attr = attr_of(2)};
        struct fuse_open_out open = {.fh = 1};
        struct fuse_statfs_out statfs = {{0}};
        switch (head->opcode) {
        case FUSE_INIT: answer(dev, head->unique, 0, &init, sizeof init); break;
        case FUSE_GETATTR: answer(dev, head->unique, 0, &attr, sizeof attr); break;
        case FUSE_LOOKUP: answer(dev, head->unique, 0, &entry, sizeof entry); break;
        case FUSE_OPENDIR:
        case FUSE_OPEN: answer(dev, head->unique, 0, &open, sizeof open); break;
        case FUSE_STATFS: answer(dev, head->unique, 0, &statfs, sizeof statfs); break;
        case FUSE_RELEASE:
        case FUSE_RELEASEDIR:
        case FUSE_FLUSH: answer(dev, head->unique, 0, NULL, 0); break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET: break;
        default: answer(dev, head->unique, -ENOSYS, NULL, 0);
        }
    }
}

static int open_in(const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return OK(open(path, flags | O_CLOEXEC));
}

static void test(void)
{
    char options[96];
    if (unshare(CLONE_NEWNS) < 0)
        SKIP("no mount namespace of our own: %s", strerrorname_np(errno));
    OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (dev < 0)
        SKIP("no /dev/fuse: %s", strerrorname_np(errno));
    CHECK(mkdtemp(dir));
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
    if (mount("glasspoll", dir, "fuse.glasspoll", 0, options) < 0) {
        OK(rmdir(dir));
        SKIP("no FUSE: %s", strerrorname_np(errno));
    }
    pid_t pid = fork_child();
    if (pid == 0)
        serve(dev);
    OK(close(dev));
    int epfd = ep_new(), fd = open_in("file", O_RDONLY), other = open_in("file", O_RDONLY);
    int folder = open_in("", O_RDONLY | O_DIRECTORY);
    CHECK_ERR(ep_add(epfd, folder, EPOLLIN), EPERM);
    OK(ep_add(epfd, fd, EPOLLIN | EPOLLOUT));
    EXPECT_ONE(epfd, fd, EPOLLIN | EPOLLOUT);
    OK(ep_mod(epfd, fd, EPOLLIN | EPOLLET));
    EXPECT_ONE(epfd, fd, EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    OK(ep_del(epfd, fd));
    OK(kill(pid, SIGKILL));
    OK(waitpid(pid, NULL, 0));
    OK(ep_add(epfd, other, EPOLLIN));
    EXPECT_ONE(epfd, other, EPOLLIN);
    OK(close(folder));
    close(fd);
    close(other);
    OK(close(epfd));
    OK(umount2(dir, MNT_DETACH));
    OK(rmdir(dir));
}
