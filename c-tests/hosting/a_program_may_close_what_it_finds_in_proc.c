// A program walks /proc/self/fd and closes each fd above 2 that it finds there,
// as daemons and launchers do, twice. The files and the set that it makes next
// work.
// Source: proc(5). Contract: 1, 12
#include "harness.h"
#include <dirent.h>

static void close_all(void)
{
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        int fd = atoi(entry->d_name);
        if (fd > 2 && fd != dirfd(dir))
            close(fd);
    }
    closedir(dir);
}

static void use(void)
{
    int epfd = ep_new(), s[2], e;
    struct waiter w;
    unix_stream(s);
    e = event_fd();
    CHECK_EQ(epfd, 3);
    CHECK_EQ(e, 6);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, e, EPOLLIN));
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    EXPECT_NOTHING(epfd);
    waiter_block(&w, epfd);
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    struct pollfd p = {epfd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
}

static void test(void)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        for (int round = 0; round < 3; round++) {
            close_all();
            use();
        }
        _exit(0);
    }
    child_must_pass(pid);
}
