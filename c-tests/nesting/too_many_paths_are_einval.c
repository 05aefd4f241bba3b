// At most 500 sets may hold a set that holds one file. Sets that hold the file
// directly are not limited.
// Source: Linux: fs/eventpoll.c:path_limits, path_count_inc. Contract: 31
#include "harness.h"

enum { MANY = 1200, LIMIT = 500 };

static void test(void)
{
    static int set[MANY];
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_max < MANY + 100)
        SKIP("needs %d descriptors", MANY + 100);
    struct rlimit more = {MANY + 100 > limit.rlim_cur ? MANY + 100 : limit.rlim_cur,
                          limit.rlim_max};
    OK(setrlimit(RLIMIT_NOFILE, &more));
    int inner = ep_new(), e = event_fd();
    for (int i = 0; i < MANY; i++) {
        set[i] = ep_new();
        OK(ep_add(set[i], e, EPOLLIN));
        OK(ep_del(set[i], e));
    }
    OK(ep_add(inner, e, EPOLLIN));
    for (int i = 0; i < LIMIT; i++)
        OK(ep_add(set[i], inner, EPOLLIN));
    CHECK_ERR(ep_add(set[LIMIT], inner, EPOLLIN), EINVAL);
    OK(ep_del(set[0], inner));
    OK(ep_add(set[LIMIT], inner, EPOLLIN));
    CHECK_ERR(ep_add(set[0], inner, EPOLLIN), EINVAL);
    bump(e, 1);
    EXPECT_ONE(set[LIMIT], inner, EPOLLIN);
    for (int i = 0; i < MANY; i++)
        OK(close(set[i]));
    OK(close(e));
    OK(close(inner));
    OK(setrlimit(RLIMIT_NOFILE, &limit));
}
