// MOD to a mask that is ready wakes a wait in progress. A file added during the
// wait wakes it too, once the file becomes ready.
// Source: Linux: fs/eventpoll.c:ep_modify. Contract: 14
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), e = event_fd(), s[2];
    struct waiter w;
    unix_stream(s);
    OK(ep_add(epfd, e, EPOLLIN));
    waiter_block(&w, epfd);
    OK(ep_mod(epfd, e, EPOLLOUT | EPOLLET));
    waiter_join_with(&w, e, EPOLLOUT);

    waiter_block(&w, epfd);
    OK(ep_add(epfd, s[0], EPOLLIN)); // not ready yet
    sleep_ms(20);
    CHECK(!w.done);
    put(s[1], "x");
    waiter_join_with(&w, s[0], EPOLLIN);
    OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLONESHOT));
    EXPECT_ONE(epfd, s[0], EPOLLIN);
    waiter_block(&w, epfd);
    OK(ep_mod(epfd, s[0], EPOLLIN | EPOLLONESHOT));
    waiter_join_with(&w, s[0], EPOLLIN);
    close_pair(s);
    OK(close(e));
    OK(close(epfd));
}
