// While a thread sleeps in a wait on a set of several files, another adds,
// changes, deletes, closes, waits with timeout 0, and fills a socket: the sleeper
// gets just what holds at the moment when it becomes ready.
// Source: epoll(7), Q6 and multithreading. Contract: 13, 14, 19, 25
#include "harness.h"

enum { FILES = 4, TURNS = 12 };

static int epfd, fd[FILES][2];
static uint32_t edge;

static void open_one(int i)
{
    (i % 2 ? unix_stream : tcp_pair)(fd[i]);
    OK(ep_add(epfd, fd[i][0], EPOLLIN | edge));
}

// The waiter returns with this value of this file, and with nothing else.
static void told(struct waiter *w, int i, uint64_t value)
{
    put(fd[i][1], "x");
    waiter_join_with(w, value, EPOLLIN);
    CHECK_EQ(drain(fd[i][0]), 1);
    EXPECT_NOTHING_NOW(epfd);
}

static void turn(int i)
{
    struct waiter w, other;
    int e = event_fd(), kept, old;

    waiter_block(&w, epfd); // added, and ready later
    OK(ep_add(epfd, e, EPOLLIN));
    bump(e, 1);
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));

    waiter_block(&w, epfd); // added when ready
    e = event_fd();
    bump(e, 1);
    OK(ep_add(epfd, e, EPOLLIN));
    waiter_join_with(&w, e, EPOLLIN);
    OK(close(e));

    waiter_block(&w, epfd); // other data
    OK(ep_ctl(epfd, EPOLL_CTL_MOD, fd[i][0], EPOLLIN | edge, 1000 + i));
    told(&w, i, 1000 + i);
    OK(ep_mod(epfd, fd[i][0], EPOLLIN | edge));

    waiter_block(&w, epfd); // nothing is asked for any more
    OK(ep_mod(epfd, fd[i][0], 0));
    put(fd[i][1], "x");
    sleep_ms(2);
    CHECK(!w.done);
    OK(ep_mod(epfd, fd[i][0], EPOLLIN | edge));
    waiter_join_with(&w, fd[i][0], EPOLLIN);
    CHECK_EQ(drain(fd[i][0]), 1);
    EXPECT_NOTHING_NOW(epfd);

    waiter_block(&w, epfd); // deleted
    OK(ep_del(epfd, fd[i][0]));
    put(fd[i][1], "x");
    sleep_ms(2);
    CHECK(!w.done);
    CHECK_EQ(drain(fd[i][0]), 1);
    OK(ep_add(epfd, fd[i][0], EPOLLIN | edge));
    told(&w, i, fd[i][0]);

    waiter_block(&w, epfd); // closed, and the fd another file's
    old = fd[i][0];
    OK(close(fd[i][0]));
    OK(close(fd[i][1]));
    (i % 2 ? unix_stream : tcp_pair)(fd[i]);
    if (fd[i][1] == old)
        fd[i][1] = OK(dup(old));
    if (fd[i][0] != old) {
        CHECK_EQ(dup2(fd[i][0], old), old);
        OK(close(fd[i][0]));
        fd[i][0] = old;
    }
    put(fd[i][0], "x");
    put(fd[i][1], "x");
    sleep_ms(2);
    CHECK(!w.done);
    drain_exactly(fd[i][0], 1);
    drain_exactly(fd[i][1], 1);
    OK(ep_add(epfd, fd[i][0], EPOLLIN | edge));
    told(&w, i, fd[i][0]);

    waiter_block(&w, epfd); // closed, and open under another fd
    old = fd[i][0];
    kept = OK(dup(old));
    OK(close(old));
    e = event_fd();
    CHECK_EQ(e, old);
    bump(e, 1);
    sleep_ms(2);
    CHECK(!w.done);
    put(fd[i][1], "x");
    waiter_join_with(&w, old, EPOLLIN);
    CHECK_EQ(drain(kept), 1);
    EXPECT_NOTHING_NOW(epfd);
    OK(close(e));
    OK(close(kept));
    OK(close(fd[i][1]));
    open_one(i);

    waiter_block(&w, epfd); // another looks, and sees nothing
    EXPECT_NOTHING_NOW(epfd);
    told(&w, i, fd[i][0]);

    if (!edge)
        return; // a level wakes both
    waiter_block(&w, epfd); // another waits as well, and takes it
    waiter_block(&other, epfd);
    told(&other, i, fd[i][0]);
    CHECK(!w.done);
    told(&w, i, fd[i][0]);
}

// Room that another thread was refused.
static void refused(void)
{
    struct waiter w;
    OK(ep_mod(epfd, fd[0][0], EPOLLIN | EPOLLOUT | EPOLLET));
    EXPECT_ONE(epfd, fd[0][0], EPOLLOUT);
    for (int n = 0; n < 3; n++) {
        waiter_block(&w, epfd);
        long all = fill(fd[0][0]);
        drain_exactly(fd[0][1], all);
        waiter_join_with(&w, fd[0][0], EPOLLOUT);
    }
}

static void test(void)
{
    for (int e = 0; e < 2; e++) {
        edge = e ? EPOLLET : 0;
        epfd = ep_new();
        for (int i = 0; i < FILES; i++)
            open_one(i);
        for (int n = 0; n < TURNS; n++)
            turn(n % FILES);
        refused();
        for (int i = 0; i < FILES; i++)
            close_pair(fd[i]);
        OK(close(epfd));
    }
}
