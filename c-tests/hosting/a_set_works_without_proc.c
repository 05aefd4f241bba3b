// In a chroot without /proc sets work as elsewhere. Undrained writes to an
// eventfd are edges, whether the eventfd was made before or after. Inherited
// files are watched. A forked child can make a set of its own.
// Source: chroot(2). Contract: 20, 37
#include "harness.h"

static void use(int epfd, int e)
{
    OK(ep_add(epfd, e, EPOLLIN | EPOLLET));
    for (int i = 0; i < 4; i++) {
        bump(e, 1);
        EXPECT_ONE(epfd, e, EPOLLIN);
        EXPECT_NOTHING_NOW(epfd);
    }
    OK(ep_del(epfd, e));
}

static void child(const char *where, int inherited[2])
{
    int before = event_fd(), duplicate = OK(dup(before));
    if (chroot(where) == -1)
        SKIP("no chroot: %s", strerrorname_np(errno));
    OK(chdir("/"));
    OK(access("/", R_OK));
    CHECK_ERR(access("/proc", F_OK), ENOENT);
    int epfd = ep_new();
    use(epfd, before);
    use(epfd, duplicate);
    use(epfd, event_fd());
    OK(ep_add(epfd, inherited[0], EPOLLIN));
    put(inherited[1], "x");
    EXPECT_ONE(epfd, inherited[0], EPOLLIN);
    drain(inherited[0]);
    pid_t pid = fork_child();
    if (pid == 0) {
        int own = ep_new(), s[2];
        use(own, event_fd());
        unix_stream(s);
        OK(ep_add(own, s[0], EPOLLIN | EPOLLET));
        put(s[1], "x");
        EXPECT_ONE(own, s[0], EPOLLIN);
        OK(ep_add(own, inherited[0], EPOLLIN));
        put(inherited[1], "x");
        EXPECT_ONE(own, inherited[0], EPOLLIN);
        _exit(0);
    }
    child_must_pass(pid);
    EXPECT_ONE(epfd, inherited[0], EPOLLIN);
    _exit(0);
}

static void test(void)
{
    char where[] = "/tmp/glasspoll-XXXXXX";
    int inherited[2], status;
    CHECK(mkdtemp(where));
    unix_stream(inherited);
    pid_t pid = fork_child();
    if (pid == 0)
        child(where, inherited);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    OK(rmdir(where));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        _exit(77);
    CHECK_EQ(status, 0);
    close_pair(inherited);
}
