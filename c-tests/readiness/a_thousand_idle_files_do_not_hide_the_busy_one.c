// Among a thousand idle sockets each event is found, whichever socket it is on
// and whatever happened before. Level and edge mixed.
// Source: epoll(7). Contract: 18, 19
#include "harness.h"

enum { FILES = 1000 };

static void test(void)
{
    static int s[FILES][2];
    struct rlimit was, now;
    OK(getrlimit(RLIMIT_NOFILE, &was));
    now = was;
    if (now.rlim_cur < 2 * FILES + 100)
        now.rlim_cur = 2 * FILES + 100;
    if (setrlimit(RLIMIT_NOFILE, &now) == -1)
        SKIP("needs %d descriptors", 2 * FILES + 100);
    int epfd = ep_new();
    for (int i = 0; i < FILES; i++) {
        unix_stream(s[i]);
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[i][0],
                  EPOLLIN | (i % 2 ? EPOLLET : 0), i));
    }
    EXPECT_NOTHING(epfd);
    for (int n = 0; n < 3000; n++) {
        int i = n * 7919 % FILES;
        put(s[i][1], "x");
        EXPECT_ONE(epfd, i, EPOLLIN);
        CHECK_EQ(drain(s[i][0]), 1);
    }
    EXPECT_NOTHING(epfd);
    // All files become ready at once. The waits may take any number of batches.
    struct epoll_event ev[300];
    static bool seen[FILES];
    for (int i = 0; i < FILES; i++)
        put(s[i][1], "x");
    for (int count = 0; count < FILES;) {
        int n = wait_events(epfd, ev, 300, WAIT_MS);
        CHECK(n > 0);
        for (int k = 0; k < n; k++) {
            int i = ev[k].data.u64;
            CHECK(!seen[i]);
            seen[i] = true;
            CHECK_EQ(drain(s[i][0]), 1);
            count++;
        }
    }
    EXPECT_NOTHING(epfd);
    for (int i = 0; i < FILES; i++)
        close_pair(s[i]);
    OK(close(epfd));
    OK(setrlimit(RLIMIT_NOFILE, &was));
}
