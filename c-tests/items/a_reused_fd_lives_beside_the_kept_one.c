// A dup keeps the item of a closed fd alive. If the fd is reused for another
// file, it can be added as a second item: both report, and DEL finds the new
// one.
// Source: epoll(7), Q6; Linux: fs/eventpoll.c:ep_cmp_ffd. Contract: 11, 12, 13
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), a[2], b[2];
    struct epoll_event ev[4];
    unix_stream(a);
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, a[0], EPOLLIN, 'a'));
    int twin = OK(dup(a[0]));
    OK(close(a[0]));
    unix_stream(b);
    CHECK_EQ(b[0], a[0]);
    OK(ep_ctl(epfd, EPOLL_CTL_ADD, b[0], EPOLLIN, 'b'));
    put(b[1], "x");
    EXPECT_ONE(epfd, 'b', EPOLLIN);
    put(a[1], "x");
    CHECK_EQ(epoll_wait(epfd, ev, 4, 0), 2);
    CHECK_EQ(ev[0].data.u64 + ev[1].data.u64, 'a' + 'b');
    OK(ep_del(epfd, b[0]));
    EXPECT_ONE(epfd, 'a', EPOLLIN);
    CHECK_ERR(ep_del(epfd, b[0]), ENOENT);

    // When the first file has its old fd back, the fd names its item again.
    CHECK_EQ(dup2(twin, b[0]), b[0]);
    CHECK_ERR(ep_ctl(epfd, EPOLL_CTL_ADD, b[0], EPOLLIN, 'c'), EEXIST);
    OK(ep_del(epfd, b[0]));
    EXPECT_NOTHING(epfd);
    OK(close(twin));
    close_pair(b);
    OK(close(a[1]));
    OK(close(epfd));
}
