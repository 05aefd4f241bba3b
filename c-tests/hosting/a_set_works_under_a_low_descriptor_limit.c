// A program with a limit of 32 fds can still watch files, and can itself use
// every fd below the limit.
// Source: getrlimit(2). Contract: 1
#include "harness.h"

static void test(void)
{
    struct rlimit was, now;
    int s[2], filler[32], count = 0;
    OK(getrlimit(RLIMIT_NOFILE, &was));
    now = was;
    now.rlim_cur = 32;
    OK(setrlimit(RLIMIT_NOFILE, &now));

    unix_stream(s);
    int epfd = ep_new(), e = event_fd();
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLET));
    OK(ep_add(epfd, e, EPOLLIN));
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    EXPECT_NOTHING(epfd);
    while ((filler[count] = dup(0)) != -1)
        count++;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(filler[count - 1], 31);
    put(s[1], "x");
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    bump(e, 1);
    EXPECT_ONE(epfd, e, EPOLLIN);

    while (count > 0)
        OK(close(filler[--count]));
    close_pair(s);
    OK(close(e));
    OK(close(epfd));
    OK(setrlimit(RLIMIT_NOFILE, &was));
}
