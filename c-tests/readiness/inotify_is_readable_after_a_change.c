// An inotify fd reports IN once something that it watches has changed. A level
// lasts until the read, and each change is an edge.
// Source: inotify(7). Contract: 18, 19
#include "harness.h"
#include <sys/inotify.h>

static void test(void)
{
    char dir[] = "/tmp/inotify-XXXXXX", file[64];
    int epfd = ep_new(), i = OK(inotify_init1(IN_NONBLOCK));
    CHECK(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/f", dir);
    OK(inotify_add_watch(i, dir, IN_CREATE | IN_DELETE));
    OK(ep_add(epfd, i, EPOLLIN));
    EXPECT_NOTHING_NOW(epfd);
    OK(mkdir(file, 0700));
    EXPECT_ONE(epfd, i, EPOLLIN);
    EXPECT_ONE(epfd, i, EPOLLIN);
    CHECK(drain(i) > 0);
    OK(ep_mod(epfd, i, EPOLLIN | EPOLLET));
    EXPECT_NOTHING_NOW(epfd);
    OK(rmdir(file));
    EXPECT_ONE(epfd, i, EPOLLIN);
    EXPECT_NOTHING(epfd);
    OK(mkdir(file, 0700));
    EXPECT_ONE(epfd, i, EPOLLIN);
    EXPECT_NOTHING_NOW(epfd);
    OK(rmdir(file));
    OK(rmdir(dir));
    OK(close(i));
    OK(close(epfd));
}
