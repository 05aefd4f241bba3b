// poll, ppoll, select and pselect report an epoll fd as readable while an event
// waits in its set, and never as writable.
// Source: epoll(7), Q3. Contract: 2
#include "harness.h"

static void all_say(int epfd, bool ready)
{
    const short ask = POLLIN | POLLRDNORM | POLLOUT | POLLPRI | POLLRDHUP;
    struct pollfd p = {epfd, ask, 0};
    struct timespec zero_ts = {0, 0};
    struct timeval zero_tv = {0, 0};
    fd_set in, out, except;

    CHECK_EQ(poll(&p, 1, 0), ready);
    CHECK_EQ(p.revents, ready ? POLLIN | POLLRDNORM : 0);
    p.revents = 0;
    CHECK_EQ(ppoll(&p, 1, &zero_ts, NULL), ready);
    CHECK_EQ(p.revents, ready ? POLLIN | POLLRDNORM : 0);
    for (int i = 0; i < 2; i++) {
        FD_ZERO(&in);
        FD_ZERO(&out);
        FD_ZERO(&except);
        FD_SET(epfd, &in);
        FD_SET(epfd, &out);
        FD_SET(epfd, &except);
        CHECK_EQ(i ? select(epfd + 1, &in, &out, &except, &zero_tv)
                   : pselect(epfd + 1, &in, &out, &except, &zero_ts, NULL), ready);
        CHECK_EQ(!!FD_ISSET(epfd, &in), ready);
        CHECK(!FD_ISSET(epfd, &out) && !FD_ISSET(epfd, &except));
    }
}

static void test(void)
{
    int epfd = ep_new(), e = event_fd(), s[2];
    unix_stream(s);
    all_say(epfd, false);
    OK(ep_add(epfd, e, EPOLLIN));
    OK(ep_add(epfd, s[0], EPOLLIN));
    all_say(epfd, false);
    bump(e, 1);
    all_say(epfd, true);
    CHECK_EQ(drain(e), 8);
    all_say(epfd, false);
    put(s[1], "x");
    all_say(epfd, true);
    CHECK_EQ(drain(s[0]), 1);
    all_say(epfd, false);
    close_pair(s);
    OK(close(e));
    OK(close(epfd));
}
