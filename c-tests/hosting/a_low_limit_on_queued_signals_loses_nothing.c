// The process may have very few queued signals. Many files become ready at
// once: each edge is reported, and each file once. epoll itself has no such
// limit.
// Source: getrlimit(2), RLIMIT_SIGPENDING. Contract: 19
#include "harness.h"

enum { FILES = 100 };

static void test(void)
{
    struct rlimit low = {2, 2};
    int epfd = ep_new(), s[FILES][2];
    struct epoll_event ev[FILES + 1];
    OK(setrlimit(RLIMIT_SIGPENDING, &low));
    for (int i = 0; i < FILES; i++) {
        unix_stream(s[i]);
        OK(ep_ctl(epfd, EPOLL_CTL_ADD, s[i][0], EPOLLIN | EPOLLET, i));
    }
    EXPECT_NOTHING(epfd);
    for (int round = 0; round < 5; round++) {
        bool seen[FILES] = {false};
        for (int i = 0; i < FILES; i++)
            put(s[i][1], "x"); // files stay undrained from round to round
        for (int count = 0; count < FILES;) {
            int n = wait_events(epfd, ev, FILES + 1, WAIT_MS);
            CHECK(n > 0);
            for (int i = 0; i < n; i++) {
                CHECK(!seen[ev[i].data.u64]);
                seen[ev[i].data.u64] = true;
            }
            count += n;
        }
        EXPECT_NOTHING(epfd);
    }
    for (int i = 0; i < FILES; i++)
        close_pair(s[i]);
    OK(close(epfd));
}
