// A watched file's flags, owner and signal read back as they were, while it is
// idle and while events come. Setting its flags does not stop its events.
// Source: fcntl(2). Contract: 19
#include "harness.h"

static void looks_untouched(int fd, int flags)
{
    CHECK_EQ(fcntl(fd, F_GETFL), flags);
    CHECK_EQ(fcntl(fd, F_GETOWN), 0);
    CHECK_EQ(fcntl(fd, F_GETSIG), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

static void test(void)
{
    for (int edge = 0; edge < 2; edge++)
        for (int tcp = 0; tcp < 2; tcp++) {
            int epfd = ep_new(), s[2];
            if (tcp)
                tcp_pair(s);
            else
                unix_stream(s);
            int flags = OK(fcntl(s[0], F_GETFL));
            CHECK_EQ(flags & O_ASYNC, 0);
            OK(ep_add(epfd, s[0], EPOLLIN | (edge ? EPOLLET : 0)));
            looks_untouched(s[0], flags);
            for (int i = 0; i < 4; i++) {
                EXPECT_NOTHING(epfd);
                looks_untouched(s[0], flags);
                flags ^= O_NONBLOCK;
                OK(fcntl(s[0], F_SETFL, flags));
                looks_untouched(s[0], flags);
                put(s[1], "x");
                EXPECT_ONE(epfd, s[0], EPOLLIN);
                char c;
                CHECK_EQ(read(s[0], &c, 1), 1);
            }
            OK(ep_del(epfd, s[0]));
            looks_untouched(s[0], flags);
            close_pair(s);
            OK(close(epfd));
        }
}
