// inotify wakes without a mask of events, so the kernel looks at an item that asks for nothing as well. The outer edge
// shows this.
// Limit: poll: news of a file that is asked is missed by an outer edge while its item is on the inner ready list
#include "harness.h"
#include <sys/inotify.h>

static void test(void)
{
    int outer = ep_new(), inner = ep_new(), other[2];
    int notify = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    char name[64];
    snprintf(name, sizeof name, "/tmp/inotify-wakes-%d", getpid());
    int file = OK(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    OK(inotify_add_watch(notify, name, IN_MODIFY));
    OK(unlink(name));
    unix_stream(other);
    put(other[1], "keeps the inner set ready");
    OK(ep_add(inner, other[0], EPOLLIN));
    OK(ep_add(inner, notify, 0));
    OK(ep_add(outer, inner, EPOLLIN | EPOLLET));
    EXPECT_ONE(outer, inner, EPOLLIN);
    EXPECT_NOTHING_NOW(outer);
    put(file, "x");
    EXPECT_ONE(outer, inner, EPOLLIN);
    EXPECT_NOTHING_NOW(outer);
    OK(close(file));
    OK(close(notify));
    close_pair(other);
    OK(close(inner));
    OK(close(outer));
}
