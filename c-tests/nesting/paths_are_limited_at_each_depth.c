// The kernel limits the outermost sets over a file by how many sets lie
// between: any number directly over the file, 500 over one set, 100 over two,
// 50 over three, 10 over four. One more is EINVAL; it can be added when another
// goes.
// Source: Linux: fs/eventpoll.c:path_limits, path_count_inc. Contract: 31
#include "harness.h"

enum { DEEPEST = 4, MOST = 520 };

static void test(void)
{
    static const int limits[DEEPEST + 1] = {MOST - 20, 500, 100, 50, 10};
    static int outer[MOST];
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_max < MOST + 100)
        SKIP("needs %d descriptors", MOST + 100);
    if (limit.rlim_cur < MOST + 100) {
        limit.rlim_cur = MOST + 100;
        OK(setrlimit(RLIMIT_NOFILE, &limit));
    }
    for (int depth = 0; depth <= DEEPEST; depth++) {
        int e = event_fd(), between[DEEPEST], top = e, most = limits[depth];
        for (int i = 0; i < depth; i++) {
            between[i] = ep_new();
            OK(ep_add(between[i], top, EPOLLIN));
            top = between[i];
        }
        for (int i = 0; i <= most; i++)
            outer[i] = ep_new();
        for (int i = 0; i < most; i++)
            OK(ep_add(outer[i], top, EPOLLIN));
        if (depth == 0)
            OK(ep_add(outer[most], top, EPOLLIN));
        else
            CHECK_ERR(ep_add(outer[most], top, EPOLLIN), EINVAL);
        OK(close(outer[0]));
        if (depth > 0)
            OK(ep_add(outer[most], top, EPOLLIN));
        bump(e, 1);
        EXPECT_ONE(outer[most], top, EPOLLIN);
        EXPECT_ONE(outer[1], top, EPOLLIN);
        for (int i = 1; i <= most; i++)
            OK(close(outer[i]));
        for (int i = depth; i > 0; i--)
            OK(close(between[i - 1]));
        OK(close(e));
    }
}
