// A full socket is watched exclusively for OUT in one set and for IN in
// another, with a waiter on each. Data that arrives wakes the waiter for IN and
// not the other, whichever item was added first.
// Source: epoll_ctl(2), EPOLLEXCLUSIVE. Contract: 16
#include "harness.h"

static void test(void)
{
    for (int order = 0; order < 2; order++) {
        int out = ep_new(), in = ep_new(), s[2];
        struct waiter for_out, for_in;
        tcp_pair(s);
        // The peer's kernel goes on to take data for a while. The socket stays
        // full only after that.
        for (int quiet = 0; quiet < 20; sleep_ms(5))
            quiet = fill(s[0]) ? 0 : quiet + 1;
        for (int i = 0; i < 2; i++)
            if (i == order)
                OK(ep_add(out, s[0], EPOLLOUT | EPOLLEXCLUSIVE));
            else
                OK(ep_add(in, s[0], EPOLLIN | EPOLLEXCLUSIVE));
        waiter_block(&for_out, out);
        waiter_block(&for_in, in);
        put(s[1], "x");
        waiter_join_with(&for_in, s[0], EPOLLIN);
        sleep_ms(QUIET_MS);
        CHECK(!for_out.done);
        // The hang-up of the peer is an event for both items.
        OK(close(s[1]));
        waiter_join(&for_out);
        CHECK_EQ(for_out.n, 1);
        CHECK(for_out.ev[0].events & (EPOLLHUP | EPOLLERR | EPOLLOUT));
        OK(close(s[0]));
        OK(close(in));
        OK(close(out));
    }
}
