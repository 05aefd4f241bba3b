// When another thread closes a watched file, a wait sleeps on. It returns for
// the files that are left.
// Source: epoll_wait(2); Linux: fs/eventpoll.c:eventpoll_release_file.
// Contract: 28
#include "harness.h"

static void test(void)
{
    int epfd = ep_new(), s[2], b[2];
    struct waiter w;
    unix_stream(s);
    unix_stream(b);
    OK(ep_add(epfd, s[0], EPOLLIN | EPOLLRDHUP));
    OK(ep_add(epfd, b[0], EPOLLIN));
    waiter_block(&w, epfd);
    OK(close(s[0]));
    sleep_ms(QUIET_MS);
    CHECK(!w.done);
    put(b[1], "x");
    waiter_join_with(&w, b[0], EPOLLIN);
    close_pair(b);

    // The same when it was the last file of the set.
    waiter_block(&w, epfd);
    OK(ep_add(epfd, s[1], 0));
    UNTIL(w.done); // s[1] has hung up
    waiter_join_with(&w, s[1], EPOLLHUP);
    OK(ep_mod(epfd, s[1], EPOLLONESHOT));
    EXPECT_ONE(epfd, s[1], EPOLLHUP);
    waiter_block(&w, epfd);
    OK(close(s[1]));
    sleep_ms(QUIET_MS);
    CHECK(!w.done);
    int e = event_fd();
    OK(ep_add(epfd, e, EPOLLOUT));
    waiter_join_with(&w, e, EPOLLOUT);
    OK(close(e));
    OK(close(epfd));
}
