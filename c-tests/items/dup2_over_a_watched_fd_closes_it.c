// dup2 and dup3 onto a watched fd close its file: the item goes, the peer sees
// the end, and the fd is not an item. dup2 of an fd onto itself does nothing.
// Source: dup(2). Contract: 12
#include "harness.h"

static void test(void)
{
    for (int three = 0; three < 2; three++) {
        int epfd = ep_new(), s[2], e = event_fd();
        unix_stream(s);
        OK(ep_add(epfd, s[0], EPOLLIN));
        CHECK_EQ(dup2(s[0], s[0]), s[0]);
        CHECK_ERR(dup3(s[0], s[0], 0), EINVAL);
        put(s[1], "x");
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        CHECK_EQ(three ? dup3(e, s[0], O_CLOEXEC) : dup2(e, s[0]), s[0]);
        until_polls(s[1], POLLHUP);
        bump(e, 1);
        EXPECT_NOTHING(epfd);
        CHECK_ERR(ep_del(epfd, s[0]), ENOENT);
        OK(ep_add(epfd, s[0], EPOLLIN));
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        close_pair(s);
        // The eventfd's other fd keeps its item.
        EXPECT_ONE(epfd, s[0], EPOLLIN);
        OK(close(e));
        EXPECT_NOTHING_NOW(epfd);
        OK(close(epfd));
    }
}
